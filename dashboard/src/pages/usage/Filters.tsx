import { Group, SegmentedControl, TextInput } from "@mantine/core";
import { useSetSearch } from "../../parts/useListSearch";
import { dateOf, type Period, ranges } from "./period";
import type { By } from "./readUsage";

interface Props {
  period: Period;
  by: By;
  operator: boolean;
  tenant: string | undefined;
  model: string | undefined;
  now: number;
}

/** What is shown; all of it is in the address. */
export function Filters({ period, by, operator, tenant, model, now }: Props) {
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
        <Only
          label="Only this tenant"
          all="All tenants"
          value={tenant}
          onChange={(next) => set({ tenant: next })}
        />
      )}
      <Only
        label="Only this adapter"
        all="All adapters"
        value={model}
        onChange={(next) => set({ model: next })}
      />
    </Group>
  );
}

interface OnlyProps {
  label: string;
  /** What is shown while it is empty. */
  all: string;
  value: string | undefined;
  onChange: (value: string | undefined) => void;
}

/** A name, asked for when it is whole. */
function Only({ label, all, value = "", onChange }: OnlyProps) {
  return (
    <TextInput
      key={value}
      size="xs"
      w={150}
      aria-label={label}
      placeholder={all}
      defaultValue={value}
      onBlur={(event) => onChange(event.currentTarget.value.trim() || undefined)}
      onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      autoComplete="off"
      spellCheck={false}
    />
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
