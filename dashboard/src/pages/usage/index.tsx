// What was used, by whom and when: as bars, as a table, as a file.
import { useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { useSession } from "../../api/session";
import type { UsageBucket } from "../../api/types";
import { Chart } from "../../parts/Chart";
import { colour, rest as grey } from "../../parts/colours";
import { Empty } from "../../parts/Empty";
import { ErrorState } from "../../parts/ErrorState";
import { compact } from "../../parts/format";
import { Loading } from "../../parts/Loading";
import { PageHeader } from "../../parts/PageHeader";
import { Panel } from "../../parts/Panel";
import { useNow } from "../../parts/useNow";
import { Download } from "./Download";
import { Filters } from "./Filters";
import { apart, group, type Grouped, type Measure, measures, summed, TOLD_APART, total } from "./groups";
import { GroupTable } from "./GroupTable";
import { Left } from "./Left";
import { type Period, periodOf, widths } from "./period";
import { type By, PAGE_BUCKETS } from "./readUsage";
import { Totals } from "./Totals";
import classes from "./usage.module.css";
import { type KeyNames, nameOfKey, useKeyNames } from "./useKeyNames";
import { useUsage } from "./useUsage";

export function Usage() {
  const { operator } = useSession();
  const search = useSearch({ from: "/shell/usage" });
  const now = useNow();
  const by = byOf(search.by, operator);
  const measure = measures.find((one) => one.value === search.measure)?.value ?? "output";
  const period = periodOf(search, now);
  const tenant = operator ? search.tenant : undefined;
  const { model } = search;
  const asked = { period, by, operator, tenant, model };
  const query = useUsage(asked);
  const names = useKeyNames();
  const used = query.data?.some((bucket) => bucket.results.length > 0) ?? false;

  return (
    <>
      <PageHeader
        title="Usage"
        note="Requests and tokens, counted in the hour or day (UTC) in which a request began"
      >
        <Download asked={asked} names={names} now={now} empty={!used} />
      </PageHeader>
      {!operator && <Left />}
      <Filters {...asked} now={now} />
      {query.isPending ? (
        <Loading lines={8} />
      ) : query.error ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : used ? (
        <Shown {...{ buckets: query.data, period, by, measure, operator, names }} />
      ) : (
        <Panel>
          <None filtered={(tenant ?? model) !== undefined} />
        </Panel>
      )}
    </>
  );
}

function None({ filtered }: { filtered: boolean }) {
  if (filtered)
    return (
      <Empty title="Nothing of that was used in this time">Clear a filter, or choose a longer range.</Empty>
    );
  return (
    <Empty title="Nothing was used in this time">
      Choose a longer range, or send a request: it is counted about a second after its end.
    </Empty>
  );
}

interface ShownProps {
  buckets: UsageBucket[];
  period: Period;
  by: By;
  measure: Measure;
  operator: boolean;
  names: KeyNames;
}

function Shown({ buckets, period, by, measure, operator, names }: ShownProps) {
  const sums = useMemo(() => total(buckets), [buckets]);
  const groups = useMemo(() => group(buckets, measure), [buckets, measure]);
  const at = useMemo(() => buckets.map((bucket) => bucket.start_time), [buckets]);
  const series = useMemo(() => {
    const { own, rest } = apart(groups);
    const lines = own.map((one, index) => ({
      label: labelOf(one, by, names),
      colour: colour(index),
      values: one.values,
    }));
    return rest.length === 0 ? lines : [...lines, { label: "Others", colour: grey, values: summed(rest) }];
  }, [groups, by, names]);
  const colourOf = useCallback(
    (one: Grouped) => {
      const index = apart(groups).own.indexOf(one);
      return index < 0 ? grey : colour(index);
    },
    [groups],
  );
  return (
    <div className={classes.page}>
      <Totals sums={sums} measure={measure} />
      <Panel>
        <Chart
          title={measures.find((one) => one.value === measure)?.label ?? ""}
          at={at}
          series={series}
          write={compact}
          height={260}
          bars={widths[period.width]}
        />
      </Panel>
      <Panel flush>
        <GroupTable
          {...{ groups, by, operator, measure, sums, names, colourOf, others: noteOf(buckets, period) }}
        />
      </Panel>
    </div>
  );
}

function byOf(asked: string | undefined, operator: boolean): By {
  if (asked === "model" || asked === "key") return asked;
  return operator ? "tenant" : "model";
}

function labelOf(one: Grouped, by: By, names: KeyNames): string {
  const own = by === "key" ? nameOfKey(one.key, names) : by === "model" ? one.model : null;
  return [one.tenant, own].filter((part) => part !== null).join(" / ");
}

/** What the row of all others is. A page of the API tells its own largest apart, and a long time has several. */
function noteOf(buckets: UsageBucket[], { width }: Period): string {
  const most = PAGE_BUCKETS[width];
  const stretch = buckets.length > most ? `, in each ${most} ${width === "1h" ? "hours" : "days"}` : "";
  return `beyond the ${TOLD_APART} with the most tokens${stretch}; the CSV file has all of them`;
}
