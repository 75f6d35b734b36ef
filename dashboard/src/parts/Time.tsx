import { ago, localTime, utcTime } from "./format";
import { useNow } from "./useNow";

interface Props {
  /** Unix seconds; null says `never`. */
  at: number | null | undefined;
  never?: string;
  /** How long ago, instead of the date. */
  relative?: boolean;
}

/**
 * A time in the viewer's zone, in UTC on hover. The hint is the browser's own: lists have hundreds of them, and a
 * tooltip each would make scrolling heavy.
 */
export function Time({ at, never = "–", relative = false }: Props) {
  const now = useNow();
  if (at === null || at === undefined) return <span>{never}</span>;
  return (
    <time
      dateTime={new Date(at * 1000).toISOString()}
      title={relative ? `${localTime(at)} · ${utcTime(at)}` : utcTime(at)}
      style={{ whiteSpace: "nowrap" }}
    >
      {relative ? ago(at, now) : localTime(at)}
    </time>
  );
}
