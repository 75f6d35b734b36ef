import { Button, Group, Select, TextInput } from "@mantine/core";
import { useSetSearch } from "../../parts/useListSearch";
import { kinds } from "./kinds";

interface Props {
  search: { tenant?: string; type?: string; from?: string; until?: string };
}

export function Filters({ search }: Props) {
  const set = useSetSearch();
  const any = search.tenant ?? search.type ?? search.from ?? search.until;
  return (
    <Group gap="sm" mb="sm" align="flex-end">
      <TextInput
        key={search.tenant ?? ""}
        label="Tenant"
        size="xs"
        w={160}
        placeholder="All"
        defaultValue={search.tenant ?? ""}
        onBlur={(event) => set({ tenant: event.currentTarget.value.trim() || undefined })}
        onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
      />
      <Select
        label="Event"
        size="xs"
        w={200}
        placeholder="All"
        data={Object.entries(kinds).map(([value, label]) => ({ value, label }))}
        value={search.type ?? null}
        onChange={(type) => set({ type: type ?? undefined })}
        searchable
        clearable
        clearButtonProps={{ "aria-label": "All events" }}
      />
      <Day label="From" value={search.from} onChange={(from) => set({ from })} />
      <Day label="Until" value={search.until} onChange={(until) => set({ until })} />
      {any !== undefined && (
        <Button
          variant="subtle"
          onClick={() => set({ tenant: undefined, type: undefined, from: undefined, until: undefined })}
        >
          Clear
        </Button>
      )}
    </Group>
  );
}

interface DayProps {
  label: string;
  value: string | undefined;
  onChange: (day: string | undefined) => void;
}

function Day({ label, value, onChange }: DayProps) {
  return (
    <TextInput
      type="date"
      size="xs"
      label={label}
      value={value ?? ""}
      onChange={(event) => onChange(event.currentTarget.value || undefined)}
    />
  );
}
