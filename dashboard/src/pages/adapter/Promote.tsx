// Gives a version all requests of an alias.
import { Select, Stack, Text } from "@mantine/core";
import { useState } from "react";
import type { Alias } from "../../api/types";
import { Confirm } from "../../parts/Confirm";
import { Conflict } from "./Conflict";
import { shareWords } from "./targets";
import { useMove } from "./useMove";

interface Props {
  name: string;
  version: number;
  aliases: Alias[];
  close: () => void;
}

export function Promote({ name, version, aliases, close }: Props) {
  const [chosen, setChosen] = useState("latest");
  const seen = aliases.find(({ alias }) => alias === chosen) ?? null;
  const { move, theirs, error } = useMove(name, seen, close);
  return (
    <Confirm
      opened
      close={close}
      title={`Promote ${name}@${version}`}
      action={theirs ? "Promote all the same" : "Promote"}
      danger={false}
      pending={move.isPending}
      error={error}
      act={() => move.mutate({ alias: chosen, targets: [{ version, weight: 1 }] })}
    >
      <Stack gap="sm">
        <Select
          label="Alias"
          data={aliases.map(({ alias }) => ({ value: alias, label: `@${alias}` }))}
          value={chosen}
          onChange={(value) => {
            move.reset();
            setChosen(value ?? "latest");
          }}
          allowDeselect={false}
          searchable
        />
        <Text size="sm">
          All requests for{" "}
          <code>
            {name}
            {chosen === "latest" ? "" : `@${chosen}`}
          </code>{" "}
          get version {version}
          {seen ? `; now it is ${shareWords(seen.targets)}` : ""}. Answers that run keep theirs, and the move
          can be rolled back.
        </Text>
        <Conflict theirs={theirs} />
      </Stack>
    </Confirm>
  );
}
