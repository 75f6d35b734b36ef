import { Tooltip } from "@mantine/core";
import type { AdapterVersion } from "../../api/types";
import { StateBadge } from "../StateBadge";
import type { Residents } from "./residents";

export function VersionState({ version }: { version: AdapterVersion }) {
  const { color, label, why } = stateOf(version);
  return (
    <Tooltip label={why} disabled={why === null} multiline maw={320}>
      <div style={{ width: "fit-content" }}>
        <StateBadge color={color} label={label} />
      </div>
    </Tooltip>
  );
}

function stateOf({ status, disabled_reason, routable }: AdapterVersion) {
  if (status === "disabled") {
    return {
      color: "orange",
      label: "Disabled",
      why: disabled_reason ?? "Taken out of service by its owner",
    };
  }
  if (!routable) {
    return {
      color: "gray",
      label: "Other base",
      why: "It was made for another base model than the one that is served now",
    };
  }
  return { color: "teal", label: "Ready", why: null };
}

/** Whether its weights are in the engine's memory; the first request loads those that are not. */
export function InMemory({ digest, residents }: { digest: string; residents: Residents }) {
  if (residents === null) return <span>–</span>;
  const resident = residents.get(digest);
  if (!resident) return <span style={{ color: "var(--mantine-color-dimmed)" }}>no</span>;
  return (
    <StateBadge color={resident.in_use ? "indigo" : "gray"} label={resident.in_use ? "In use" : "Loaded"} />
  );
}
