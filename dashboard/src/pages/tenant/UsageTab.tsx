// What the tenant used in the last month, by model; the page Usage has the rest.
import { Group } from "@mantine/core";
import type { Tenant } from "../../api/types";
import { USAGE_DAYS, useModelUsage, type ModelUsage } from "../../parts/adapters/useModelUsage";
import { DataTable, type Column } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { compact, count, percent } from "../../parts/format";
import { PageLink } from "../../parts/PageLink";
import { Panel } from "../../parts/Panel";
import { useListSearch } from "../../parts/useListSearch";

type Row = ModelUsage & { model: string };

const columns: Column<Row>[] = [
  { key: "model", head: "Model", by: ({ model }) => model, cell: ({ model }) => <code>{model}</code> },
  {
    key: "requests",
    head: "Requests",
    right: true,
    by: ({ requests }) => requests,
    cell: ({ requests }) => count(requests),
  },
  {
    key: "input",
    head: "Prompt tokens",
    right: true,
    by: ({ inputTokens }) => inputTokens,
    cell: ({ inputTokens }) => compact(inputTokens),
  },
  {
    key: "cached",
    head: "of them reused",
    right: true,
    cell: ({ cachedTokens, inputTokens }) => percent(cachedTokens, inputTokens),
  },
  {
    key: "output",
    head: "Answer tokens",
    right: true,
    by: ({ outputTokens }) => outputTokens,
    cell: ({ outputTokens }) => compact(outputTokens),
  },
];

export function UsageTab({ tenant: { slug } }: { tenant: Tenant }) {
  const query = useModelUsage(slug, true);
  const { sort, setSort } = useListSearch();
  const rows = query.data ? [...query.data].map(([model, usage]) => ({ model, ...usage })) : undefined;
  return (
    <>
      <Group justify="space-between" mb="sm">
        <span>The last {USAGE_DAYS} days, by model</span>
        <PageLink to="/usage" search={{ tenant: slug }}>
          By day, key and adapter
        </PageLink>
      </Group>
      <Panel flush>
        <DataTable
          label="Usage by model"
          columns={columns}
          rows={rows}
          rowKey={({ model }) => model}
          query={query}
          sort={sort ?? "-requests"}
          onSort={setSort}
          empty={
            <Empty title="Nothing was used in this time">
              Requests are counted about a second after their end.
            </Empty>
          }
        />
      </Panel>
    </>
  );
}
