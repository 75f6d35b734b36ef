// Every change of tenants, keys, limits and adapters: who, from where, before and after.
import { Anchor } from "@mantine/core";
import { useSearch } from "@tanstack/react-router";
import type { AuditEvent } from "../../api/types";
import { type Column, DataTable } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { keyLabel } from "../../parts/format";
import { PageHeader } from "../../parts/PageHeader";
import { PageLink } from "../../parts/PageLink";
import { Panel } from "../../parts/Panel";
import { Time } from "../../parts/Time";
import { useSetSearch } from "../../parts/useListSearch";
import { actorOf } from "./actor";
import { Details } from "./Details";
import { Filters } from "./Filters";
import { wordsOf } from "./kinds";
import { useAudit, useEvent } from "./useAudit";

const daySeconds = 86_400;

/** Midnight of a day in the viewer's zone, in Unix seconds. */
function midnight(day: string | undefined): number | undefined {
  const at = day === undefined ? NaN : Date.parse(`${day}T00:00`);
  return Number.isNaN(at) ? undefined : at / 1000;
}

export function Audit() {
  const search = useSearch({ from: "/shell/audit" });
  const set = useSetSearch();
  const last = midnight(search.until);
  const { query, rows, more } = useAudit({
    tenant: search.tenant,
    type: search.type,
    since: midnight(search.from),
    until: last === undefined ? undefined : last + daySeconds,
  });
  const shown = useEvent(search.event, rows);
  const open = (event: AuditEvent) => set({ event: event.id }, true);
  const filtered = [search.tenant, search.type, search.from, search.until].some((one) => one !== undefined);

  const columns: Column<AuditEvent>[] = [
    { key: "when", head: "When", width: 160, cell: (event) => <Time at={event.effective_at} /> },
    {
      key: "event",
      head: "Event",
      cell: (event) => (
        <Anchor component="button" type="button" size="sm" ta="left" onClick={() => open(event)}>
          {wordsOf(event.type)}
        </Anchor>
      ),
    },
    {
      key: "tenant",
      head: "Tenant",
      cell: (event) => (
        <PageLink to="/tenants/$slug" params={{ slug: event.tenant }}>
          {event.tenant}
        </PageLink>
      ),
    },
    { key: "subject", head: "What", cell: (event) => <code>{short(event.subject)}</code> },
    { key: "actor", head: "Who", wide: true, cell: (event) => actorOf(event.actor) },
    { key: "from", head: "From", wide: true, cell: (event) => event.actor.ip_address ?? "–" },
  ];

  return (
    <>
      <PageHeader
        title="Audit"
        note="Every change of a tenant, a key, a limit or an adapter, the newest first"
      />
      <Filters search={search} />
      <Panel flush>
        <DataTable
          label="Audit log"
          columns={columns}
          rows={rows}
          rowKey={(event) => event.id}
          query={query}
          sorted
          more={more}
          onRow={open}
          empty={
            filtered ? (
              <Empty title="Nothing on record fits">Widen the dates, or clear a filter.</Empty>
            ) : (
              <Empty title="Nothing is on record yet">
                Changes of tenants, keys, limits and adapters appear here as they are made.
              </Empty>
            )
          }
        />
      </Panel>
      <Details event={shown} close={() => set({ event: undefined })} />
    </>
  );
}

/** Ids of keys are long, and told by their beginning and end. */
const short = (subject: string) => (/^[0-9a-f]{32}$/.test(subject) ? keyLabel(subject) : subject);
