// Makes an alias, or moves one: to a version, or to several by weight.
import { ActionIcon, Button, Group, Modal, NumberInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import type { Alias } from "../../api/types";
import { ErrorLine } from "../../parts/ErrorLine";
import { Icon } from "../../parts/Icon";
import { Conflict } from "./Conflict";
import { Shares } from "./Shares";
import { ALIAS, MAX_TARGETS, MAX_WEIGHT, weightOf, type Target } from "./targets";
import { useVersions, type Which } from "./useAdapter";
import { useMove } from "./useMove";

interface Props {
  which: Which;
  /** Null makes a new one. */
  seen: Alias | null;
  close: () => void;
}

export function AliasEditor({ which, seen, close }: Props) {
  const { rows: versions = [] } = useVersions(which);
  const [alias, setAlias] = useState(seen?.alias ?? "");
  const [chosen, setChosen] = useState<Target[] | null>(seen?.targets ?? null);
  const { move, theirs, error } = useMove(which.name, seen, close);
  const numbers = versions.map(({ version }) => version);
  // A new alias begins with the newest version, which may be still on its way here.
  const targets = chosen ?? numbers.slice(0, 1).map((version) => ({ version, weight: 1 }));
  const free = numbers.filter((number) => !targets.some(({ version }) => version === number));
  const ready = ALIAS.test(alias) && targets.length > 0;
  const set = (index: number, change: Partial<Target>) =>
    setChosen(targets.map((target, at) => (at === index ? { ...target, ...change } : target)));

  return (
    <Modal opened onClose={close} title={seen ? `Move ${seen.model}` : `New alias of ${which.name}`}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) move.mutate({ alias, targets });
        }}
      >
        <Stack gap="sm">
          {!seen && (
            <TextInput
              label="Name"
              description={`Requests send ${which.name}@${alias === "" ? "…" : alias}`}
              value={alias}
              onChange={(event) => setAlias(event.currentTarget.value)}
              error={
                alias !== "" &&
                !ALIAS.test(alias) &&
                "Small letters, digits, dots, hyphens and underscores, and not a number"
              }
              required
              withAsterisk={false}
              data-autofocus
              autoComplete="off"
              spellCheck={false}
            />
          )}
          {targets.map((target, index) => (
            <Group key={target.version} gap="xs" wrap="nowrap" align="flex-end">
              <Select
                label={index === 0 ? "Version" : undefined}
                aria-label={`Version ${index + 1}`}
                data={[target.version, ...free].map((number) => ({
                  value: String(number),
                  label: `@${number}`,
                }))}
                value={String(target.version)}
                onChange={(value) => set(index, { version: Number(value) })}
                allowDeselect={false}
                searchable
                flex={1}
              />
              <NumberInput
                label={index === 0 ? "Weight" : undefined}
                aria-label={`Weight ${index + 1}`}
                value={weightOf(target)}
                min={1}
                max={MAX_WEIGHT}
                clampBehavior="strict"
                allowDecimal={false}
                onChange={(value) => set(index, { weight: Math.max(1, Number(value)) })}
                w={110}
              />
              <ActionIcon
                variant="subtle"
                color="gray"
                size="lg"
                aria-label={`Take @${target.version} away`}
                disabled={targets.length === 1}
                onClick={() => setChosen(targets.filter((_, at) => at !== index))}
              >
                <Icon name="close" />
              </ActionIcon>
            </Group>
          ))}
          <Group>
            <Button
              variant="subtle"
              px={0}
              leftSection={<Icon name="plus" size={14} />}
              disabled={free.length === 0 || targets.length >= MAX_TARGETS}
              onClick={() => setChosen([...targets, { version: free[0] ?? 1, weight: 1 }])}
            >
              Share with another version
            </Button>
          </Group>
          <Shares targets={targets} />
          {targets.length > 1 && (
            <Text size="xs" c="dimmed">
              Put the newcomer last: callers who are on it stay on it while its share grows.
            </Text>
          )}
          <Conflict theirs={theirs} />
          <ErrorLine error={error} />
          <Group justify="flex-end" gap="xs">
            {theirs && (
              <Button variant="subtle" onClick={() => setChosen(theirs.targets)}>
                Take theirs
              </Button>
            )}
            <Button variant="default" onClick={close}>
              Cancel
            </Button>
            <Button type="submit" disabled={!ready} loading={move.isPending}>
              {theirs ? "Replace it with mine" : seen ? "Move" : "Create alias"}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
