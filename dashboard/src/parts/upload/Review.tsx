// What was dropped, before anything is sent: under which name, and who gets it.
import { Button, Checkbox, Group, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { bytes } from "../format";
import { Panel } from "../Panel";
import type { AdapterFiles } from "./files";
import type { Asked } from "./job";

/** The server's own rule. */
const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

interface Props {
  files: AdapterFiles;
  /** Of the adapter that gets a version; left out for a new one. */
  name: string | undefined;
  onStart: (asked: Asked) => void;
  onCancel: () => void;
}

export function Review({ files, name: fixed, onStart, onCancel }: Props) {
  const [name, setName] = useState(fixed ?? files.suggestedName);
  const [latest, setLatest] = useState(true);
  const wrong = name !== "" && !NAME.test(name);
  return (
    <Panel title={fixed ? `New version of ${fixed}` : "Upload an adapter"}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (NAME.test(name)) onStart({ files, name, latest });
        }}
      >
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {bytes(files.weights.size)} of weights
            {files.rank === null ? "" : `, rank ${files.rank}`}
            {files.baseModel === null ? "" : `, trained on ${files.baseModel}`}
          </Text>
          {fixed === undefined && (
            <TextInput
              label="Name"
              description="What requests send as model. If it exists, this becomes its next version."
              maw={420}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={
                wrong &&
                "Small letters, digits, dots, hyphens and underscores; a letter or digit first; at most 64"
              }
              required
              withAsterisk={false}
              autoComplete="off"
              spellCheck={false}
            />
          )}
          <Checkbox
            size="xs"
            label="Requests for the plain name get it at once"
            description="Otherwise only requests for exactly this version, or for an alias that you move to it later. An adapter's first version is always its latest."
            checked={latest}
            onChange={(event) => setLatest(event.currentTarget.checked)}
          />
          <Group gap="xs">
            <Button type="submit" disabled={!NAME.test(name)}>
              Upload
            </Button>
            <Button variant="default" onClick={onCancel}>
              Cancel
            </Button>
          </Group>
        </Stack>
      </form>
    </Panel>
  );
}
