// Every try to make a version, of the last month: also those that were refused, with the reason.
import { Button, Modal, Stack } from "@mantine/core";
import { useState } from "react";
import { reportOf } from "../../api/adapters";
import { api, data } from "../../api/client";
import type { Push } from "../../api/types";
import { Bytes } from "../../parts/Bytes";
import { DataTable, type Column } from "../../parts/DataTable";
import { Empty } from "../../parts/Empty";
import { Panel } from "../../parts/Panel";
import { Refused } from "../../parts/report/Refused";
import { ReportView } from "../../parts/report/ReportView";
import { StateBadge } from "../../parts/StateBadge";
import { Time } from "../../parts/Time";
import { usePages } from "../../parts/usePages";

const COLOURS: Record<string, string> = {
  ready: "teal",
  rejected: "red",
  failed: "orange",
  validating: "indigo",
};
const PAGE_ROWS = 50;

export function Pushes() {
  const [shown, setShown] = useState<Push | null>(null);
  const { query, rows, more } = usePages(["pushes"], (after, signal) => {
    const query = after === undefined ? { limit: PAGE_ROWS } : { limit: PAGE_ROWS, after };
    return data(api.GET("/v1/pushes", { params: { query }, signal }));
  });
  const report = shown && reportOf(shown);
  return (
    <Panel flush>
      <DataTable
        label="Pushes"
        columns={columnsOf(setShown)}
        rows={rows}
        rowKey={({ id }) => id}
        query={query}
        more={more}
        onRow={setShown}
        empty={<Empty title="Nothing was pushed in the last month">Drop an adapter above to begin.</Empty>}
      />
      <Modal
        opened={shown !== null}
        onClose={() => setShown(null)}
        title={`Push of ${shown?.name ?? ""}`}
        size="xl"
      >
        <Stack gap="md">
          {shown && <Refused push={shown} />}
          {report && <ReportView report={report} />}
          {shown && !report && !shown.error && <Empty title="There is no report yet" />}
        </Stack>
      </Modal>
    </Panel>
  );
}

function columnsOf(show: (push: Push) => void): Column<Push>[] {
  return [
    {
      key: "created",
      head: "When",
      width: 130,
      cell: ({ created_at }) => <Time at={created_at} relative />,
    },
    { key: "name", head: "Adapter", cell: ({ name }) => name },
    {
      key: "status",
      head: "State",
      width: 110,
      cell: ({ status }) => <StateBadge color={COLOURS[status] ?? "gray"} label={status} />,
    },
    { key: "became", head: "Became", cell: ({ model, error }) => <code>{model ?? error?.code ?? "–"}</code> },
    { key: "size", head: "Size", right: true, wide: true, cell: ({ bytes }) => <Bytes of={bytes} /> },
    {
      key: "show",
      head: "",
      width: 110,
      cell: (push) => (
        <Button variant="subtle" size="compact-xs" onClick={() => show(push)}>
          {push.error ? "Why" : "Report"}
        </Button>
      ),
    },
  ];
}
