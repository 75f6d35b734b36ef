// What was used, by whom and when: as bars, as a table, as a file.
import { Button } from "@mantine/core";
import { useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { useSession } from "../../api/session";
import type { UsageBucket } from "../../api/types";
import { Chart } from "../../parts/Chart";
import { colour, rest } from "../../parts/colours";
import { download } from "../../parts/csv";
import { Empty } from "../../parts/Empty";
import { ErrorState } from "../../parts/ErrorState";
import { compact, count } from "../../parts/format";
import { Icon } from "../../parts/Icon";
import { Loading } from "../../parts/Loading";
import { PageHeader } from "../../parts/PageHeader";
import { Panel } from "../../parts/Panel";
import { useNow } from "../../parts/useNow";
import { Filters } from "./Filters";
import { fileOf, group, type Grouped, type Measure, measures, summed, total } from "./groups";
import { GroupTable } from "./GroupTable";
import { Left } from "./Left";
import { dateOf, type Period, periodOf, widths } from "./period";
import { Totals } from "./Totals";
import classes from "./usage.module.css";
import { type KeyNames, nameOfKey, useKeyNames } from "./useKeyNames";
import { type By, useUsage } from "./useUsage";

/** Groups with a colour of their own; the others are one. */
const coloured = 7;

export function Usage() {
  const { operator } = useSession();
  const search = useSearch({ from: "/shell/usage" });
  const now = useNow();
  const by = byOf(search.by, operator);
  const measure = measures.find((one) => one.value === search.measure)?.value ?? "output";
  const period = periodOf(search, now);
  const tenant = operator ? search.tenant : undefined;
  const query = useUsage(period, by, operator, tenant);
  const names = useKeyNames();
  const used = query.data?.some((bucket) => bucket.results.length > 0) ?? false;

  const save = () => {
    if (!query.data) return;
    const until = dateOf(period.end === undefined ? now : period.end - 1);
    download(`usage-${dateOf(period.start)}-${until}-by-${by}.csv`, fileOf(query.data, names));
  };

  return (
    <>
      <PageHeader
        title="Usage"
        note="Requests and tokens, counted in the hour or day (UTC) in which a request began"
      >
        <Button
          variant="default"
          leftSection={<Icon name="download" size={14} />}
          disabled={!used}
          onClick={save}
        >
          Download CSV
        </Button>
      </PageHeader>
      {!operator && <Left />}
      <Filters period={period} by={by} operator={operator} tenant={tenant} now={now} />
      {query.isPending ? (
        <Loading lines={8} />
      ) : query.error ? (
        <ErrorState error={query.error} retry={() => void query.refetch()} />
      ) : used ? (
        <Shown {...{ buckets: query.data, period, by, measure, operator, names }} />
      ) : (
        <Panel>
          <Empty title="Nothing was used in this time">
            Choose a longer range, or send a request: it is counted about a second after its end.
          </Empty>
        </Panel>
      )}
    </>
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
    const own = groups.slice(0, coloured).map((one, index) => ({
      label: labelOf(one, by, names),
      colour: colour(index),
      values: one.values,
    }));
    const others = groups.slice(coloured);
    return others.length === 0
      ? own
      : [...own, { label: `${count(others.length)} others`, colour: rest, values: summed(others) }];
  }, [groups, by, names]);
  const colourOf = useCallback(
    (one: Grouped) => {
      const index = groups.indexOf(one);
      return index < coloured ? colour(index) : rest;
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
        <GroupTable {...{ groups, by, operator, measure, sums, names, colourOf }} />
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
