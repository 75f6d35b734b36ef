import { ActionIcon, Button, Tooltip } from "@mantine/core";
import { useClipboard } from "@mantine/hooks";
import { Icon } from "./Icon";

interface Props {
  text: string;
  label?: string;
  /** A button with words, for what is to be copied now. */
  wide?: boolean;
}

export function Copy({ text, label = "Copy", wide = false }: Props) {
  const { copied, copy } = useClipboard({ timeout: 1500 });
  const sign = <Icon name={copied ? "check" : "copy"} size={14} />;
  if (wide) {
    return (
      <Button leftSection={sign} onClick={() => copy(text)} aria-live="polite">
        {copied ? "Copied" : label}
      </Button>
    );
  }
  return (
    <Tooltip label={copied ? "Copied" : label}>
      <ActionIcon
        variant="subtle"
        color={copied ? "teal" : "gray"}
        size="sm"
        aria-label={copied ? "Copied" : label}
        onClick={(event) => {
          event.stopPropagation();
          copy(text);
        }}
        style={{ verticalAlign: "middle" }}
      >
        {sign}
      </ActionIcon>
    </Tooltip>
  );
}
