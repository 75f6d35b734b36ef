import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { ErrorLine } from "./ErrorLine";

interface Props {
  opened: boolean;
  close: () => void;
  title: string;
  /** What will happen, and to whom. */
  children: ReactNode;
  /** What the button says: the deed, not "OK". */
  action: string;
  /** For what cannot be undone: a name that must be typed. */
  type?: string;
  danger?: boolean;
  pending: boolean;
  error?: unknown;
  act: () => void;
}

export function Confirm({
  opened,
  close,
  title,
  children,
  action,
  type,
  danger = true,
  pending,
  error,
  act,
}: Props) {
  const [typed, setTyped] = useState("");
  const leave = () => {
    setTyped("");
    close();
  };
  const ready = type === undefined || typed === type;
  return (
    <Modal opened={opened} onClose={leave} title={title}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) act();
        }}
      >
        <Stack gap="sm">
          <Text component="div" size="sm">
            {children}
          </Text>
          {type !== undefined && (
            <TextInput
              label={
                <>
                  Type <code>{type}</code> to confirm
                </>
              }
              value={typed}
              onChange={(event) => setTyped(event.currentTarget.value)}
              autoComplete="off"
              spellCheck={false}
              data-autofocus
            />
          )}
          <ErrorLine error={error} />
          <Group justify="flex-end" gap="xs">
            <Button variant="default" onClick={leave}>
              Cancel
            </Button>
            <Button type="submit" color={danger ? "red" : undefined} disabled={!ready} loading={pending}>
              {action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
