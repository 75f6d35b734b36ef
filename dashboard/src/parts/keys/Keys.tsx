// Keys with all that is done about them: for the operator's page of a tenant, and for a tenant's own.
import { Button, Checkbox, Group } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import type { CreatedKey, Key, Scope } from "../../api/types";
import { Empty } from "../Empty";
import { Icon } from "../Icon";
import { Panel } from "../Panel";
import { SearchField } from "../SearchField";
import { useListSearch, useSetSearch } from "../useListSearch";
import { useNow } from "../useNow";
import { RevokeKey, RotateKey } from "./deeds";
import { KeyForm } from "./KeyForm";
import { KeyShown } from "./KeyShown";
import { KeyTable, type KeyDeed } from "./KeyTable";
import { stateOf, type KeyRoutes } from "./routes";

interface Props {
  routes: KeyRoutes;
  /** Whether keys may be made and ended. */
  may: boolean;
  grantable: Scope[];
}

export function Keys({ routes, may, grantable }: Props) {
  const client = useQueryClient();
  const query = useQuery({ queryKey: routes.queryKey, queryFn: routes.list });
  const { q, setQ } = useListSearch();
  const { show } = useSearch({ strict: false });
  const setSearch = useSetSearch();
  const now = useNow();
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<CreatedKey | null>(null);
  const [asked, setAsked] = useState<{ of: Key; deed: KeyDeed } | null>(null);

  const refresh = () => void client.invalidateQueries({ queryKey: routes.queryKey });
  const close = () => setAsked(null);
  const onMade = (key: CreatedKey) => {
    setMaking(false);
    close();
    setMade(key);
    refresh();
  };
  const all = show === "all";
  const rows = query.data?.filter((key) => (all || stateOf(key, now) === "active") && matches(key, q));

  return (
    <>
      <Group justify="space-between" mb="sm">
        <Group gap="md">
          <SearchField label="Search by name or id" value={q} onChange={setQ} />
          <Checkbox
            size="xs"
            label="Also ended and revoked"
            checked={all}
            onChange={(event) => setSearch({ show: event.currentTarget.checked ? "all" : undefined })}
          />
        </Group>
        {may && (
          <Button leftSection={<Icon name="plus" size={14} />} onClick={() => setMaking(true)}>
            New key
          </Button>
        )}
      </Group>
      <Panel flush>
        <KeyTable
          keys={rows}
          query={query}
          onDeed={may ? (of, deed) => setAsked({ of, deed }) : undefined}
          empty={
            q ? (
              <Empty title="No key has that name or id">Search for something else.</Empty>
            ) : (
              <Empty title="No key works here">
                {may ? "Make one: it is what clients sign in with." : undefined}
              </Empty>
            )
          }
        />
      </Panel>
      {making && (
        <KeyForm routes={routes} grantable={grantable} close={() => setMaking(false)} onMade={onMade} />
      )}
      {made && <KeyShown made={made} close={() => setMade(null)} />}
      {asked?.deed === "rotate" && <RotateKey of={asked.of} routes={routes} close={close} onMade={onMade} />}
      {asked?.deed === "revoke" && <RevokeKey of={asked.of} routes={routes} close={close} onDone={refresh} />}
    </>
  );
}

const matches = ({ name, id }: Key, q: string | undefined) =>
  !q || name.toLowerCase().includes(q.toLowerCase()) || id.startsWith(q.replace(/^tk_/, ""));
