// Who is signed in, and how to leave.
import { ActionIcon, Divider, Group, Stack, Text, Tooltip } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { signOut } from "../api/session";
import type { Session } from "../api/types";
import { SchemeSwitch } from "../parts/SchemeSwitch";
import { keyLabel } from "../parts/format";
import { Icon } from "../parts/Icon";
import { tellFailure } from "../parts/tell";
import { leave } from "./leave";

const roles = { admin: "Operator", viewer: "Operator (view only)", tenant: "Tenant" };

export function Account({ session }: { session: Session }) {
  const router = useRouter();
  const out = useMutation({
    mutationFn: signOut,
    onSuccess: () => leave(router, "out"),
    onError: tellFailure,
  });
  return (
    <Stack gap={8}>
      <Divider />
      <Group justify="space-between" wrap="nowrap" px={8} pb={4}>
        <div style={{ minWidth: 0 }}>
          <Text size="sm" fw={550} truncate>
            {session.tenant?.name ?? roles[session.role]}
          </Text>
          <Text size="xs" c="dimmed" truncate title={session.key ? keyLabel(session.key.id) : undefined}>
            {session.key ? `Key ${session.key.name ?? keyLabel(session.key.id)}` : session.base_model}
          </Text>
        </div>
        <Group gap={2} wrap="nowrap">
          <SchemeSwitch />
          <Tooltip label="Sign out">
            <ActionIcon
              variant="subtle"
              color="gray"
              aria-label="Sign out"
              loading={out.isPending}
              onClick={() => out.mutate()}
            >
              <Icon name="exit" />
            </ActionIcon>
          </Tooltip>
        </Group>
      </Group>
    </Stack>
  );
}
