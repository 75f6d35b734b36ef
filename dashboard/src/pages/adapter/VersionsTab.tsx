// The versions of an adapter, newest first, with what names them and what they answered.
import { ActionIcon, Button, Group, Menu, Modal, Text, Tooltip } from "@mantine/core";
import { useMemo, useState } from "react";
import { reportOf } from "../../api/adapters";
import { useSession } from "../../api/session";
import type { AdapterVersion, Alias } from "../../api/types";
import { useResidents, type Residents } from "../../parts/adapters/residents";
import { ErrorRate } from "../../parts/adapters/ErrorRate";
import { USAGE_DAYS } from "../../parts/adapters/modelUsage";
import { useModelUsage, type UsageByModel } from "../../parts/adapters/useModelUsage";
import { InMemory, VersionState } from "../../parts/adapters/VersionState";
import { Bytes } from "../../parts/Bytes";
import { Copy } from "../../parts/Copy";
import { DataTable, type Column } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { compact, count } from "../../parts/format";
import { Icon } from "../../parts/Icon";
import { Panel } from "../../parts/Panel";
import { ReportView } from "../../parts/report/ReportView";
import { Time } from "../../parts/Time";
import { DeleteVersion } from "./deletes";
import { Promote } from "./Promote";
import { SwitchVersion } from "./SwitchVersion";
import { useAliases, useVersions, type Which } from "./useAdapter";

type Deed = "report" | "promote" | "switch" | "delete";
type Act = (version: AdapterVersion, deed: Deed) => void;

interface Props {
  which: Which;
  /** Whether its tenant may change it. */
  may: boolean;
}

interface Numbers {
  residents: Residents;
  usage: UsageByModel | null;
}

export function VersionsTab(props: Props) {
  const { can } = useSession();
  return can("usage:read") ? <Watched {...props} /> : <List {...props} residents={null} usage={null} />;
}

function Watched(props: Props) {
  const residents = useResidents(props.which.owner);
  const usage = useModelUsage(props.which.owner, [props.which.name]);
  return <List {...props} residents={residents} usage={usage} />;
}

function List({ which, may, residents, usage }: Props & Numbers) {
  const { query, rows, more } = useVersions(which);
  const { data: aliases } = useAliases(which);
  const [asked, setAsked] = useState<{ version: AdapterVersion; deed: Deed } | null>(null);
  const columns = useMemo(() => {
    const act: Act = (version, deed) => setAsked({ version, deed });
    return columnsOf({ residents, usage, aliases: aliases ?? [], may, act });
  }, [residents, usage, aliases, may]);
  const close = () => setAsked(null);
  const version = asked?.version;
  const report = version && reportOf(version);
  return (
    <Panel flush>
      <DataTable
        label="Versions"
        columns={columns}
        rows={rows}
        rowKey={({ model }) => model}
        query={query}
        more={more}
        onRow={(row) => setAsked({ version: row, deed: "report" })}
        empty={<Empty title="It has no versions">It was deleted, or never uploaded.</Empty>}
      />
      {version && asked.deed === "report" && (
        <Modal opened onClose={close} title={`Report of ${version.model}`} size="xl">
          {report ? <ReportView report={report} /> : <Empty title="It has no report" />}
        </Modal>
      )}
      {version && asked.deed === "promote" && (
        <Promote name={which.name} version={version.version} aliases={aliases ?? []} close={close} />
      )}
      {version && asked.deed === "switch" && <SwitchVersion version={version} close={close} />}
      {version && asked.deed === "delete" && (
        <DeleteVersion version={version} namedBy={namesOf(aliases ?? [], version.version)} close={close} />
      )}
    </Panel>
  );
}

const namesOf = (aliases: Alias[], version: number) =>
  aliases
    .filter(({ targets }) => targets.some((target) => target.version === version))
    .map(({ alias }) => alias);

function columnsOf({
  residents,
  usage,
  aliases,
  may,
  act,
}: Numbers & { aliases: Alias[]; may: boolean; act: Act }) {
  const columns: Column<AdapterVersion>[] = [
    {
      key: "version",
      head: "Version",
      width: 90,
      cell: ({ version }) => (
        <Text size="sm" fw={550}>
          @{version}
        </Text>
      ),
    },
    { key: "state", head: "State", width: 96, cell: (version) => <VersionState version={version} /> },
    {
      key: "aliases",
      head: "Named by",
      cell: ({ version }) => <Names aliases={aliases} version={version} />,
    },
    { key: "digest", head: "Digest", wide: true, cell: ({ digest }) => <Digest digest={digest} /> },
    { key: "size", head: "Size", right: true, width: 90, cell: ({ bytes }) => <Bytes of={bytes} /> },
    { key: "rank", head: "Rank", right: true, width: 70, cell: (version) => reportOf(version)?.rank ?? "–" },
    {
      key: "memory",
      head: "In memory",
      width: 100,
      cell: ({ digest }) => <InMemory digest={digest} residents={residents} />,
    },
    {
      key: "requests",
      head: `Req. ${USAGE_DAYS} d`,
      right: true,
      cell: ({ model }) => (usage ? count(usage.get(model)?.requests ?? 0) : "–"),
    },
    {
      key: "errors",
      head: "Errors",
      right: true,
      cell: ({ model }) => <ErrorRate of={usage?.get(model)} />,
    },
    {
      key: "tokens",
      head: "Tokens",
      right: true,
      wide: true,
      cell: ({ model }) => (usage ? compact(tokens(usage, model)) : "–"),
    },
    {
      key: "created",
      head: "Uploaded",
      wide: true,
      cell: ({ created_at }) => <Time at={created_at} relative />,
    },
    {
      key: "menu",
      head: "",
      width: 120,
      cell: (version) => <Actions version={version} may={may} act={act} />,
    },
  ];
  return columns;
}

function tokens(usage: UsageByModel, model: string): number {
  const one = usage.get(model);
  return one ? one.inputTokens + one.outputTokens : 0;
}

function Names({ aliases, version }: { aliases: Alias[]; version: number }) {
  const names = namesOf(aliases, version);
  return <span>{names.length > 0 ? names.map((name) => `@${name}`).join(", ") : "–"}</span>;
}

function Digest({ digest }: { digest: string }) {
  return (
    <Group gap={2} wrap="nowrap">
      <Tooltip label={digest}>
        <code>{digest.replace("sha256:", "").slice(0, 8)}</code>
      </Tooltip>
      <Copy text={digest} label="Copy the digest" />
    </Group>
  );
}

function Actions({ version, may, act }: { version: AdapterVersion; may: boolean; act: Act }) {
  return (
    <Group gap={4} wrap="nowrap" justify="flex-end">
      <Button variant="subtle" size="compact-xs" onClick={() => act(version, "report")}>
        Report
      </Button>
      {may && (
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon variant="subtle" color="gray" aria-label={`Actions for ${version.model}`}>
              <Icon name="more" />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => act(version, "promote")}>Promote…</Menu.Item>
            <Menu.Item onClick={() => act(version, "switch")}>
              {version.status === "disabled" ? "Enable…" : "Disable…"}
            </Menu.Item>
            <Menu.Item color="red" onClick={() => act(version, "delete")}>
              Delete…
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      )}
    </Group>
  );
}
