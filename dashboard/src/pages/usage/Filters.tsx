import { Group, SegmentedControl, TextInput } from "@mantine/core";
import { useSetSearch } from "../../parts/useListSearch";
import { dateOf, type Period, ranges } from "./period";
import type { By } from "./useUsage";

interface Props {
  period: Period;
  by: By;
  operator: boolean;
  tenant: string | undefined;
  now: number;
}

/** What is shown; all of it is in the address. */
export function Filters({ period, by, operator, tenant, now }: Props) {
  const set = useSetSearch();
  const from = dateOf(period.start);
  const until = dateOf(period.end === undefined ? now : period.end - 1);
  const toDays = (change: { from?: string; until?: string }) =>
    set({ range: "days", from, until, ...change });
  return (
    <Group gap="sm" mb="sm" align="flex-end">
      <SegmentedControl
        size="xs"
        aria-label="Range"
        value={period.range}
        onChange={(range) =>
          range === "days" ? toDays({}) : set({ range, from: undefined, until: undefined, width: undefined })
        }
        data={[...ranges.map(({ value, label }) => ({ value, label })), { value: "days", label: "Dates" }]}
      />
      {period.range === "days" && (
        <Group gap={6}>
          <Day label="First day" value={from} max={until} onChange={(day) => toDays({ from: day })} />
          <Day label="Last day" value={until} min={from} onChange={(day) => toDays({ until: day })} />
        </Group>
      )}
      <SegmentedControl
        size="xs"
        aria-label="Bars of"
        value={period.width}
        onChange={(width) => set({ width })}
        data={[
          { value: "1h", label: "By hour", disabled: !period.hours },
          { value: "1d", label: "By day" },
        ]}
      />
      <SegmentedControl
        size="xs"
        aria-label="Told apart by"
        value={by}
        onChange={(next) => set({ by: next, sort: undefined })}
        data={[
          ...(operator ? [{ value: "tenant", label: "Tenant" }] : []),
          { value: "model", label: "Adapter" },
          { value: "key", label: "Key" },
        ]}
      />
      {operator && (
        <TextInput
          key={tenant ?? ""}
          size="xs"
          w={150}
          aria-label="Only this tenant"
          placeholder="All tenants"
          defaultValue={tenant ?? ""}
          onBlur={(event) => set({ tenant: event.currentTarget.value.trim() || undefined })}
          onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
        />
      )}
    </Group>
  );
}

interface DayProps {
  label: string;
  value: string;
  min?: string;
  max?: string;
  onChange: (day: string) => void;
}

function Day({ label, onChange, ...rest }: DayProps) {
  return (
    <TextInput
      type="date"
      size="xs"
      aria-label={label}
      {...rest}
      onChange={(event) => event.currentTarget.value !== "" && onChange(event.currentTarget.value)}
    />
  );
}
