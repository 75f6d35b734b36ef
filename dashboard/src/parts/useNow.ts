import { useSyncExternalStore } from "react";

const second = () => Math.floor(Date.now() / 1000);
let now = second();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | undefined;

/** One clock for all that show the time. */
function listen(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(tick, 30_000);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  };
}

function tick() {
  now = second();
  for (const listener of listeners) listener();
}

/** While nobody listened the clock stood: what is first shown is not older than a minute. */
function current() {
  if (second() - now > 60) now = second();
  return now;
}

/** Unix seconds, renewed twice a minute. */
export const useNow = () => useSyncExternalStore(listen, current);
