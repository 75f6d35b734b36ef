// Takes a version out of service, or puts it back.
import { Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, data } from "../../api/client";
import type { AdapterVersion } from "../../api/types";
import { Confirm } from "../../parts/Confirm";
import { tellDone } from "../../parts/tell";
import { useRefresh } from "./useAdapter";

export function SwitchVersion({ version, close }: { version: AdapterVersion; close: () => void }) {
  const [reason, setReason] = useState("");
  const refresh = useRefresh();
  const disabled = version.status === "disabled";
  const change = useMutation({
    mutationFn: () => {
      const path = { name: version.name, version: String(version.version) };
      const why = reason.trim() === "" ? {} : { reason: reason.trim() };
      const body = disabled ? { status: "ready" } : { status: "disabled", ...why };
      return data(api.PATCH("/v1/adapters/{name}/versions/{version}", { params: { path }, body }));
    },
    onSuccess: () => {
      tellDone(disabled ? `${version.model} answers again.` : `${version.model} is out of service.`);
      refresh();
      close();
    },
  });
  return (
    <Confirm
      opened
      close={close}
      title={disabled ? `Enable ${version.model}?` : `Disable ${version.model}?`}
      action={disabled ? "Enable" : "Disable"}
      danger={!disabled}
      pending={change.isPending}
      error={change.error}
      act={() => change.mutate()}
    >
      {disabled ? (
        <Text size="sm">Requests for it, and for the aliases that name it, are answered again.</Text>
      ) : (
        <Stack gap="sm">
          <Text size="sm">
            Requests for it, and for the aliases that name it, are refused at once with 409
            adapter_version_disabled. Aliases do not move by themselves. Nothing is deleted, and it can be
            enabled again.
          </Text>
          <TextInput
            label="Reason"
            description="Shown to whoever asks for it"
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            autoComplete="off"
          />
        </Stack>
      )}
    </Confirm>
  );
}
