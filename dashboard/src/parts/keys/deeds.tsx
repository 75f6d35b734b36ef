// Rotating and revoking, each asked for with its consequences.
import { Select, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import type { CreatedKey, Key } from "../../api/types";
import { Confirm } from "../Confirm";
import { tellDone } from "../tell";
import type { KeyRoutes } from "./routes";

interface Props {
  of: Key;
  routes: KeyRoutes;
  close: () => void;
}

const GRACES = [
  { value: "0", label: "at once" },
  { value: "3600", label: "in an hour" },
  { value: "86400", label: "in a day" },
  { value: "604800", label: "in a week" },
  { value: "2592000", label: "in 30 days" },
];

export function RotateKey({
  of: key,
  routes,
  close,
  onMade,
}: Props & { onMade: (made: CreatedKey) => void }) {
  const [grace, setGrace] = useState("86400");
  const rotate = useMutation({ mutationFn: () => routes.rotate(key.id, Number(grace)), onSuccess: onMade });
  return (
    <Confirm
      opened
      close={close}
      title={`Rotate the key ${key.name}?`}
      action="Rotate"
      danger={false}
      pending={rotate.isPending}
      error={rotate.error}
      act={() => rotate.mutate()}
    >
      <Stack gap="sm">
        <Text size="sm">
          A new key with the same scopes, adapters and limits is made. The old one goes on for as long as you
          say here.
        </Text>
        <Select
          label="The old key ends"
          data={GRACES}
          value={grace}
          onChange={(value) => setGrace(value ?? "0")}
          allowDeselect={false}
        />
      </Stack>
    </Confirm>
  );
}

export function RevokeKey({ of: key, routes, close, onDone }: Props & { onDone: () => void }) {
  const revoke = useMutation({
    mutationFn: () => routes.revoke(key.id),
    onSuccess: () => {
      tellDone(`The key ${key.name} is revoked.`);
      onDone();
      close();
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={`Revoke the key ${key.name}?`}
      action="Revoke"
      pending={revoke.isPending}
      error={revoke.error}
      act={() => revoke.mutate()}
    >
      Every server refuses it within a second, and answers that are running with it end. This cannot be
      undone; to go on without a gap, rotate it.
    </Confirm>
  );
}
