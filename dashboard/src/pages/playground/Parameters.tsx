// How the models are asked. All of it is in the address.
import { NumberInput, Stack, TagsInput, Textarea } from "@mantine/core";
import { NUMBERS, stopsOf, type PlaygroundSearch } from "./settings";

interface Props {
  search: PlaygroundSearch;
  onChange: (change: Partial<Record<keyof PlaygroundSearch, string | undefined>>) => void;
}

/** The server's limit. */
const MAX_STOPS = 16;

export function Parameters({ search, onChange }: Props) {
  return (
    <Stack gap="sm">
      <Textarea
        label="System prompt"
        value={search.system ?? ""}
        onChange={(event) => onChange({ system: event.currentTarget.value })}
        autosize
        minRows={3}
        maxRows={10}
      />
      {NUMBERS.map(({ name, label, hint, min, max, step, whole }) => (
        <NumberInput
          key={name}
          label={label}
          description={hint}
          size="xs"
          min={min}
          max={max}
          step={step}
          allowDecimal={!whole}
          value={search[name] ?? ""}
          onChange={(value) => onChange({ [name]: String(value) })}
        />
      ))}
      <TagsInput
        label="Stop"
        description="The answer ends before any of these; Enter adds one"
        size="xs"
        maxTags={MAX_STOPS}
        value={stopsOf(search)}
        onChange={(stops) => onChange({ stop: stops.join("\n") })}
        splitChars={[]}
      />
    </Stack>
  );
}
