import { Tooltip } from "@mantine/core";
import { ago, localTime, utcTime } from "./format";
import { useNow } from "./useNow";

interface Props {
  /** Unix seconds; null says `never`. */
  at: number | null | undefined;
  never?: string;
  /** How long ago, instead of the date. */
  relative?: boolean;
}

/** A time in the viewer's zone, in UTC on hover. */
export function Time({ at, never = "–", relative = false }: Props) {
  const now = useNow();
  if (at === null || at === undefined) return <span>{never}</span>;
  const shown = relative ? ago(at, now) : localTime(at);
  return (
    <Tooltip label={relative ? `${localTime(at)} · ${utcTime(at)}` : utcTime(at)}>
      <time dateTime={new Date(at * 1000).toISOString()} style={{ whiteSpace: "nowrap" }}>
        {shown}
      </time>
    </Tooltip>
  );
}
