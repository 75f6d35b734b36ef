// Which version answers to which name.
import { Badge, Button, Group, Stack, Text } from "@mantine/core";
import { useState } from "react";
import type { Alias } from "../../api/types";
import { Empty } from "../../parts/Empty";
import { ErrorState } from "../../parts/ErrorState";
import { Copy } from "../../parts/Copy";
import { Icon } from "../../parts/Icon";
import { Loading } from "../../parts/Loading";
import { Panel } from "../../parts/Panel";
import { Time } from "../../parts/Time";
import { AliasEditor } from "./AliasEditor";
import { DeleteAlias } from "./deletes";
import { History } from "./History";
import { Shares } from "./Shares";
import { useAliases, type Which } from "./useAdapter";

type Deed = "edit" | "history" | "delete";

/** What the plain name means; it lives as long as the adapter. */
const LATEST = "latest";

export function AliasesTab({ which, may }: { which: Which; may: boolean }) {
  const { data: aliases, error, refetch } = useAliases(which);
  const [making, setMaking] = useState(false);
  const [asked, setAsked] = useState<{ alias: Alias; deed: Deed } | null>(null);
  const close = () => setAsked(null);
  if (!aliases) return error ? <ErrorState error={error} retry={() => void refetch()} /> : <Loading />;
  return (
    <Stack gap="md">
      <Group justify="space-between">
        <Text size="sm" c="dimmed">
          Requests for <code>{which.name}</code> get what <code>@latest</code> names. An answer that runs
          keeps its version.
        </Text>
        {may && (
          <Button
            variant="default"
            leftSection={<Icon name="plus" size={14} />}
            onClick={() => setMaking(true)}
          >
            New alias
          </Button>
        )}
      </Group>
      {aliases.length === 0 && <Empty title="There is no alias" />}
      {aliases.map((alias) => (
        <AliasRow
          key={alias.alias}
          alias={alias}
          own={which.owner === null}
          may={may}
          act={(deed) => setAsked({ alias, deed })}
        />
      ))}
      {making && <AliasEditor which={which} seen={null} close={() => setMaking(false)} />}
      {asked?.deed === "edit" && <AliasEditor which={which} seen={asked.alias} close={close} />}
      {asked?.deed === "history" && <History alias={asked.alias} may={may} close={close} />}
      {asked?.deed === "delete" && <DeleteAlias name={which.name} alias={asked.alias.alias} close={close} />}
    </Stack>
  );
}

interface RowProps {
  alias: Alias;
  /** Whether it is the caller's own, whose history can be read. */
  own: boolean;
  may: boolean;
  act: (deed: Deed) => void;
}

function AliasRow({ alias, own, may, act }: RowProps) {
  return (
    <Panel>
      <Stack gap={8}>
        <Group justify="space-between" wrap="nowrap">
          <Group gap={6}>
            <Text fw={550} className="mono">
              {alias.model}
            </Text>
            <Copy text={alias.model} label="Copy the name" />
            {alias.alias === LATEST && (
              <Badge variant="light" tt="none">
                the plain name
              </Badge>
            )}
            <Text size="xs" c="dimmed">
              revision {alias.revision}, moved <Time at={alias.moved_at} relative />
            </Text>
          </Group>
          <Group gap="xs" wrap="nowrap">
            {may && (
              <Button variant="default" onClick={() => act("edit")} aria-label={`Move ${alias.model}`}>
                Move
              </Button>
            )}
            {own && (
              <Button
                variant="default"
                onClick={() => act("history")}
                aria-label={`History of ${alias.model}`}
              >
                History
              </Button>
            )}
            {may && alias.alias !== LATEST && (
              <Button
                variant="subtle"
                color="red"
                onClick={() => act("delete")}
                aria-label={`Delete ${alias.model}`}
              >
                Delete
              </Button>
            )}
          </Group>
        </Group>
        <Shares targets={alias.targets} />
      </Stack>
    </Panel>
  );
}
