// The upload that runs: outside of the pages, so that looking at another one does not end it. One at a time.
import { useSyncExternalStore } from "react";
import { ApiFailure } from "../../api/client";
import type { Push } from "../../api/types";
import type { AdapterFiles } from "./files";
import { push } from "./push";
import { transfer, type TransferProgress } from "./transfer";

export interface Asked {
  files: AdapterFiles;
  name: string;
  /** Whether the plain name answers with it at once. */
  latest: boolean;
}

export interface Job {
  asked: Asked;
  /** Whose session began it: another's must not see it. */
  session: string;
  phase: TransferProgress["phase"] | "validating" | "ended" | "broken";
  bytes: number;
  found: number;
  waiting: string | null;
  push: Push | null;
  /** Why it is broken. */
  error: unknown;
}

let job: Job | null = null;
let controller: AbortController | null = null;
const listeners = new Set<() => void>();

function set(next: Job | null) {
  job = next;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

/** The job of this session, if there is one. */
export function useJob(session: string): Job | null {
  const current = useSyncExternalStore(subscribe, () => job);
  return current?.session === session ? current : null;
}

export const isRunning = ({ phase }: Job) => phase !== "ended" && phase !== "broken";

/** Begins, or begins again: what the server has already is not sent twice. `onEnd` is called once, whatever comes of it. */
export async function begin(asked: Asked, session: string, onEnd: () => void): Promise<void> {
  controller?.abort();
  const mine = new AbortController();
  controller = mine;
  const { signal } = mine;
  let current: Job = {
    asked,
    session,
    phase: "hashing",
    bytes: 0,
    found: 0,
    waiting: null,
    push: null,
    error: null,
  };
  const tell = (change: Partial<Job>) => {
    current = { ...current, ...change };
    if (controller === mine) set(current);
  };
  tell({});
  window.addEventListener("beforeunload", warn);
  try {
    const uploadId = await transfer(asked.files.weights, signal, tell);
    tell({ phase: "validating", waiting: null });
    const version = { name: asked.name, config: asked.files.config, uploadId, latest: asked.latest };
    const last = await push(version, signal, (state) => tell({ push: state }));
    tell({ phase: "ended", push: last });
  } catch (error) {
    tell({
      phase: "broken",
      waiting: null,
      error: signal.aborted ? new Error("You stopped it.") : inWords(error),
    });
  } finally {
    if (controller === mine) window.removeEventListener("beforeunload", warn);
    onEnd();
  }
}

export const stop = () => controller?.abort(new Error("stopped"));

/** Forgets it; one that runs is stopped. */
export function dismiss() {
  controller?.abort(new Error("dismissed"));
  controller = null;
  window.removeEventListener("beforeunload", warn);
  set(null);
}

/** The browser asks before it leaves. What has arrived stays on the server all the same. */
const warn = (event: BeforeUnloadEvent) => event.preventDefault();

function inWords(error: unknown): unknown {
  if (error instanceof ApiFailure && error.code === "digest_mismatch") {
    return new Error(
      "What arrived is not what the file has. Was it changed meanwhile? Leave it alone and try again.",
    );
  }
  return error;
}
