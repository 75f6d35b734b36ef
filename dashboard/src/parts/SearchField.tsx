import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import { Icon } from "./Icon";

interface Props {
  label: string;
  value: string | undefined;
  onChange: (value: string) => void;
}

/** As long as the server takes one. */
const LONGEST = 100;

/** A search that waits for a pause in the typing. */
export function SearchField({ label, value, onChange }: Props) {
  const [typed, setTyped] = useState(value ?? "");
  const later = useDebouncedCallback(onChange, 250);
  return (
    <TextInput
      type="search"
      size="xs"
      w={260}
      aria-label={label}
      placeholder={label}
      leftSection={<Icon name="search" size={14} />}
      maxLength={LONGEST}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        later(event.currentTarget.value);
      }}
    />
  );
}
