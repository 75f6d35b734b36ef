// The stream of live numbers, opened again by itself after a broken line, a restart, or silence.
import { useEffect, useReducer } from "react";
import { maybeSignedOut } from "./client";
import { nothing, reduce } from "./liveState";
import type { Now, Point } from "./types";

/** An event comes every second: this long without one, the line is dead, whatever the browser thinks. */
const silence = 8_000;
const firstWait = 500;
const longestWait = 8_000;

export function useLive(path: "/admin/v1/live" | "/v1/live") {
  const [live, dispatch] = useReducer(reduce, nothing);

  useEffect(() => {
    let source: EventSource | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wait = firstWait;

    const lost = () => {
      source?.close();
      clearTimeout(timer);
      dispatch({ kind: "lost" });
      timer = setTimeout(open, wait);
      wait = Math.min(wait * 2, longestWait);
      // EventSource does not tell why: a session that has ended looks like a broken line.
      maybeSignedOut();
    };
    const heard = () => {
      wait = firstWait;
      clearTimeout(timer);
      timer = setTimeout(lost, silence);
    };
    const open = () => {
      source = new EventSource(path);
      clearTimeout(timer);
      timer = setTimeout(lost, silence);
      source.addEventListener("history", (event: MessageEvent<string>) => {
        heard();
        dispatch({ kind: "history", points: (JSON.parse(event.data) as { points: Point[] }).points });
      });
      source.addEventListener("now", (event: MessageEvent<string>) => {
        heard();
        dispatch({ kind: "now", now: JSON.parse(event.data) as Now });
      });
      source.onerror = lost;
    };
    open();
    return () => {
      source?.close();
      clearTimeout(timer);
    };
  }, [path]);

  return live;
}
