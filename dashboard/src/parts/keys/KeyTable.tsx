// The keys of one tenant, with what can be done about each.
import { ActionIcon, Group, Menu, Text, Tooltip } from "@mantine/core";
import type { Key } from "../../api/types";
import { DataTable, type Column } from "../DataTable";
import { keyLabel } from "../format";
import { Icon } from "../Icon";
import { StateBadge } from "../StateBadge";
import { Time } from "../Time";
import { useListSearch } from "../useListSearch";
import { useNow } from "../useNow";
import { ALL_LIMITS, capText } from "../limits/limits";
import { stateOf, type KeyState } from "./routes";

export type KeyDeed = "rotate" | "revoke";

interface Props {
  keys: Key[] | undefined;
  query: { isPending: boolean; error: unknown; refetch: () => unknown };
  empty: React.ReactNode;
  /** Left out where they may only be looked at. */
  onDeed?: ((key: Key, deed: KeyDeed) => void) | undefined;
}

const STATES: Record<KeyState, { label: string; color: string }> = {
  active: { label: "Active", color: "teal" },
  ended: { label: "Ended", color: "gray" },
  revoked: { label: "Revoked", color: "gray" },
};

export function KeyTable({ keys, query, empty, onDeed }: Props) {
  const now = useNow();
  const { sort, setSort } = useListSearch();
  const columns = columnsAt(now);
  if (onDeed) {
    const menu = (key: Key) =>
      stateOf(key, now) === "active" ? <KeyMenu key={key.id} of={key} onDeed={onDeed} /> : null;
    columns.push({ key: "menu", head: "", width: 56, cell: menu });
  }
  return (
    <DataTable
      label="Keys"
      columns={columns}
      rows={keys}
      rowKey={({ id }) => id}
      query={query}
      empty={empty}
      sort={sort ?? "-created"}
      onSort={setSort}
    />
  );
}

function columnsAt(now: number): Column<Key>[] {
  return [
    { key: "name", head: "Key", by: ({ name }) => name, cell: (key) => <Named of={key} /> },
    {
      key: "state",
      head: "State",
      width: 100,
      by: (key) => stateOf(key, now),
      cell: (key) => <StateBadge {...STATES[stateOf(key, now)]} />,
    },
    { key: "scopes", head: "Scopes", cell: ({ scopes }) => <Short items={scopes} all={6} /> },
    {
      key: "adapters",
      head: "Adapters",
      wide: true,
      cell: ({ adapters }) => (adapters ? <Short items={adapters} /> : "all"),
    },
    { key: "limits", head: "Limits", wide: true, cell: (key) => <OwnLimits of={key} /> },
    {
      key: "used",
      head: "Last used",
      by: ({ last_used_at }) => last_used_at ?? null,
      cell: ({ last_used_at }) => <Time at={last_used_at} never="never" relative />,
    },
    {
      key: "ends",
      head: "Ends",
      wide: true,
      by: ({ expires_at }) => expires_at ?? null,
      cell: ({ expires_at }) => <Time at={expires_at} never="never" relative />,
    },
    {
      key: "created",
      head: "Created",
      wide: true,
      by: ({ created_at }) => created_at,
      cell: ({ created_at }) => <Time at={created_at} relative />,
    },
  ];
}

function Named({ of: { id, name } }: { of: Key }) {
  return (
    <div style={{ minWidth: 0 }}>
      <Text size="sm" fw={550}>
        {name}
      </Text>
      <Tooltip label={id}>
        <Text size="xs" c="dimmed" className="mono" w="fit-content">
          {keyLabel(id)}
        </Text>
      </Tooltip>
    </div>
  );
}

/** The first two, and how many more; all of them on hover. */
function Short({ items, all }: { items: string[]; all?: number }) {
  if (items.length === all)
    return (
      <Tooltip label={items.join(", ")}>
        <span>all</span>
      </Tooltip>
    );
  if (items.length === 0) return <span>none</span>;
  const more = items.length - 2;
  return (
    <Tooltip label={items.join(", ")} disabled={more <= 0}>
      <Group gap={4} wrap="nowrap" w="fit-content">
        {items.slice(0, 2).map((item) => (
          <code key={item}>{item}</code>
        ))}
        {more > 0 && <span>+{more}</span>}
      </Group>
    </Tooltip>
  );
}

function OwnLimits({ of: { limits } }: { of: Key }) {
  const set = ALL_LIMITS.filter(({ name }) => limits[name] !== undefined && limits[name] !== null);
  if (set.length === 0) return <span>–</span>;
  const words = set.map((limit) => `${limit.label}: ${capText(limit, limits[limit.name])}`);
  return (
    <Tooltip label={words.join(" · ")}>
      <span>{set.length === 1 ? words[0] : `${set.length} limits`}</span>
    </Tooltip>
  );
}

function KeyMenu({ of: key, onDeed }: { of: Key; onDeed: (key: Key, deed: KeyDeed) => void }) {
  return (
    <Menu position="bottom-end">
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`Actions for the key ${key.name}`}>
          <Icon name="more" />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={() => onDeed(key, "rotate")}>Rotate…</Menu.Item>
        <Menu.Item color="red" onClick={() => onDeed(key, "revoke")}>
          Revoke…
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
