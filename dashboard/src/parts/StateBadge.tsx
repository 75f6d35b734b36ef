import { Badge } from "@mantine/core";

/** A state in a word. It keeps its width in a crowded table, where a badge would be cut. */
export function StateBadge({ color, label }: { color: string; label: string }) {
  return (
    <Badge variant="light" color={color} tt="none" style={{ minWidth: "max-content" }}>
      {label}
    </Badge>
  );
}
