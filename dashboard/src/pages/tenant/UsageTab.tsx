// What the tenant used in the last month, by model; the page Usage has the rest.
import { Group } from "@mantine/core";
import type { Tenant } from "../../api/types";
import { ErrorRate, errorRate } from "../../parts/adapters/ErrorRate";
import { USAGE_DAYS } from "../../parts/adapters/modelUsage";
import { DataTable, type Column } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { compact, count, percent } from "../../parts/format";
import { PageLink } from "../../parts/PageLink";
import { Panel } from "../../parts/Panel";
import { useListSearch } from "../../parts/useListSearch";
import { MODELS_SHOWN, type UsedModel, useTopModels } from "./useTenantUsage";

/** All others together stand below the rest, whatever it is sorted by. */
const ofOne = (value: (row: UsedModel) => number | null) => (row: UsedModel) =>
  row.model === null ? null : value(row);

const columns: Column<UsedModel>[] = [
  {
    key: "model",
    head: "Model",
    by: ({ model }) => model,
    cell: ({ model }) =>
      model === null ? `All but the ${MODELS_SHOWN} with the most tokens` : <code>{model}</code>,
  },
  {
    key: "requests",
    head: "Requests",
    right: true,
    by: ofOne(({ requests }) => requests),
    cell: ({ requests }) => count(requests),
  },
  {
    key: "errors",
    head: "Errors",
    right: true,
    by: ofOne(errorRate),
    cell: (row) => <ErrorRate of={row} />,
  },
  {
    key: "input",
    head: "Prompt tokens",
    right: true,
    by: ofOne(({ inputTokens }) => inputTokens),
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
    by: ofOne(({ outputTokens }) => outputTokens),
    cell: ({ outputTokens }) => compact(outputTokens),
  },
];

export function UsageTab({ tenant: { slug } }: { tenant: Tenant }) {
  const query = useTopModels(slug);
  const { sort, setSort } = useListSearch();
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
          rows={query.data}
          rowKey={({ model }) => model ?? ""}
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
