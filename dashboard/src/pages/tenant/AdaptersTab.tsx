import { Group } from "@mantine/core";
import type { Tenant } from "../../api/types";
import { AdapterTable } from "../../parts/adapters/AdapterTable";
import { Empty } from "../../parts/Empty";
import { SearchField } from "../../parts/SearchField";
import { useListSearch } from "../../parts/useListSearch";

export function AdaptersTab({ tenant: { slug } }: { tenant: Tenant }) {
  const { q, setQ } = useListSearch();
  return (
    <>
      <Group mb="sm">
        <SearchField label="Search by name" value={q} onChange={setQ} />
      </Group>
      <AdapterTable
        owner={slug}
        empty={<Empty title="It has no adapters">The tenant uploads them with a key of its own.</Empty>}
      />
    </>
  );
}
