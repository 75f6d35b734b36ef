import { Alert, Button, Code, Group, Modal, Stack } from "@mantine/core";
import type { CreatedKey } from "../../api/types";
import { Copy } from "../Copy";

/** The only time that a key is seen. Closed by its button alone, so that a stray click does not lose it. */
export function KeyShown({ made, close }: { made: CreatedKey; close: () => void }) {
  return (
    <Modal
      opened
      onClose={close}
      title={`The key ${made.name}`}
      size="lg"
      withCloseButton={false}
      closeOnClickOutside={false}
      closeOnEscape={false}
    >
      <Stack gap="sm">
        <Alert color="yellow" p="xs">
          Copy it now: it is shown this once, and cannot be read again.
        </Alert>
        <Code block style={{ overflowWrap: "anywhere", whiteSpace: "pre-wrap" }} data-testid="new-key">
          {made.key}
        </Code>
        <Group justify="flex-end" gap="xs">
          <Copy text={made.key} label="Copy the key" wide />
          <Button variant="default" onClick={close}>
            I have it
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
