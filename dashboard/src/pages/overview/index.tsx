// What the server does now and did in the last hour; for a tenant, its own part of that.
import { Badge, Group, Loader } from "@mantine/core";
import type { Live } from "../../api/liveState";
import { useLive } from "../../api/live";
import { useSession } from "../../api/session";
import { Loading } from "../../parts/Loading";
import { PageHeader } from "../../parts/PageHeader";
import { BusyTenants } from "./BusyTenants";
import { Charts } from "./Charts";
import { Figures } from "./Figures";
import { Memory } from "./Memory";
import classes from "./overview.module.css";
import { Ready } from "./Ready";
import { Servers } from "./Servers";

export function Overview() {
  const { operator, session } = useSession();
  const live = useLive(operator ? "/admin/v1/live" : "/v1/live");
  const { now } = live;
  return (
    <>
      <PageHeader
        title="Overview"
        note={
          operator
            ? `Base model ${session.base_model}`
            : `${session.tenant?.name ?? ""} on ${session.base_model}`
        }
      >
        <Group gap="xs">
          {now && <Ready ready={now.ready} />}
          <LineState status={live.status} />
        </Group>
      </PageHeader>
      {now ? (
        <div className={classes.page} data-stale={live.status !== "live"}>
          <Figures now={now} operator={operator} />
          <Charts points={live.points} />
          {operator && <Servers />}
          <div className={operator ? classes.columns : undefined}>
            <Memory now={now} operator={operator} />
            {operator && <BusyTenants tenants={now.tenants} />}
          </div>
        </div>
      ) : (
        <Loading lines={10} />
      )}
    </>
  );
}

function LineState({ status }: Pick<Live, "status">) {
  const looks = {
    connecting: { colour: "gray", words: "Connecting…" },
    live: { colour: "teal", words: "Live" },
    reconnecting: { colour: "orange", words: "Reconnecting…" },
  };
  const { colour, words } = looks[status];
  return (
    <Badge
      variant="light"
      autoContrast
      color={colour}
      role="status"
      tt="none"
      leftSection={status === "live" ? <span className={classes.dot} /> : <Loader size={10} color={colour} />}
    >
      {words}
    </Badge>
  );
}
