// What is asked next: of all models at once.
import { Button, Group, Textarea } from "@mantine/core";
import { useState } from "react";
import { Icon } from "../../parts/Icon";

interface Props {
  busy: boolean;
  onSend: (text: string) => void;
  onStop: () => void;
}

export function Composer({ busy, onSend, onStop }: Props) {
  const [text, setText] = useState("");
  const send = () => {
    if (busy || text.trim() === "") return;
    onSend(text);
    setText("");
  };
  return (
    <Group align="flex-end" gap="xs" wrap="nowrap">
      <Textarea
        flex={1}
        aria-label="Message"
        placeholder="Ask all models. Enter sends, Shift and Enter begins a line."
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        onKeyDown={(event) => {
          // Enter that ends a composed character is not meant to send.
          if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send();
        }}
        autosize
        minRows={2}
        maxRows={8}
      />
      {busy ? (
        <Button
          size="sm"
          color="red"
          variant="light"
          leftSection={<Icon name="stop" size={14} />}
          onClick={onStop}
        >
          Stop
        </Button>
      ) : (
        <Button
          size="sm"
          leftSection={<Icon name="play" size={14} />}
          onClick={send}
          disabled={text.trim() === ""}
        >
          Send
        </Button>
      )}
    </Group>
  );
}
