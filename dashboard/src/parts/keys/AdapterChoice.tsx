import { TagsInput } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { KeyRoutes } from "./routes";

interface Props {
  routes: KeyRoutes;
  chosen: string[];
  onChange: (chosen: string[]) => void;
}

/** The adapters that a key may use. Names are offered as one types; a maker that may not list adapters types them whole. */
export function AdapterChoice({ routes, chosen, onChange }: Props) {
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed.trim(), 200);
  const { data: names } = useQuery({
    queryKey: [...routes.queryKey, "adapters", q],
    queryFn: () => routes.adapters(q),
    placeholderData: keepPreviousData,
    retry: false,
  });
  return (
    <TagsInput
      label="Adapters"
      description="Only these; empty is all. Enter adds a name."
      data={names ?? []}
      // The server has searched already.
      filter={({ options }) => options}
      value={chosen}
      onChange={onChange}
      onSearchChange={setTyped}
      clearable
    />
  );
}
