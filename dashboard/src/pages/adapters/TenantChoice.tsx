// Whose adapters an operator looks at.
import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, data } from "../../api/client";

interface Props {
  slug: string | undefined;
  onChange: (slug: string) => void;
}

const SHOWN = 20;

export function TenantChoice({ slug, onChange }: Props) {
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed === slug ? "" : typed, 200);
  const { data: page } = useQuery({
    queryKey: ["tenants", "choice", q],
    queryFn: () =>
      data(api.GET("/admin/v1/tenants", { params: { query: q ? { limit: SHOWN, q } : { limit: SHOWN } } })),
    placeholderData: (before) => before,
  });
  const slugs = page?.data.map((tenant) => tenant.slug) ?? [];
  return (
    <Select
      size="xs"
      w={220}
      aria-label="Tenant"
      placeholder="Choose a tenant"
      searchable
      data={slug && !slugs.includes(slug) ? [slug, ...slugs] : slugs}
      // The server has searched already.
      filter={({ options }) => options}
      value={slug ?? null}
      onSearchChange={setTyped}
      onChange={(value) => value !== null && onChange(value)}
      nothingFoundMessage="No such tenant"
    />
  );
}
