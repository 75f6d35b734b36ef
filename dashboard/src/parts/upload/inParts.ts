// Sends what the server does not have yet: several parts at a time, each again until it arrives or cannot.

import type { Range } from "./parts";
import { PartError, sendPart, type PartAnswer } from "./sendPart";

const AT_ONCE = 4;
/** How often a part is sent before the server counts as away: for some minutes. */
const ATTEMPTS = 20;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;

export interface Job {
  uploadId: string;
  file: File;
  ranges: Range[];
  signal: AbortSignal;
  /** Bytes of these ranges that have left, all together. */
  onSent: (bytes: number) => void;
  /** Said while the server cannot be reached, taken back with null. */
  onWaiting: (reason: string | null) => void;
}

/** The parts by number. */
export async function sendAll(job: Job): Promise<Map<number, PartAnswer>> {
  const queue = [...job.ranges];
  const sent = new Map<number, number>();
  const done = new Map<number, PartAnswer>();
  const count = (number: number, bytes: number) => {
    sent.set(number, bytes);
    job.onSent([...sent.values()].reduce((sum, part) => sum + part, 0));
  };
  const lane = async () => {
    for (let range = queue.shift(); range; range = queue.shift()) {
      const { number } = range;
      done.set(number, await persist(job, range, (bytes) => count(number, bytes)));
      count(number, range.end - range.start);
    }
  };
  try {
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
  } finally {
    // One part that cannot arrive ends the other lanes, too.
    queue.length = 0;
  }
  return done;
}

async function persist(job: Job, range: Range, onSent: (bytes: number) => void): Promise<PartAnswer> {
  const data = job.file.slice(range.start, range.end);
  const part = { uploadId: job.uploadId, number: range.number, data };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const answer = await sendPart(part, job.signal, onSent);
      job.onWaiting(null);
      return answer;
    } catch (error) {
      if (!(error instanceof PartError) || !error.retry || attempt === ATTEMPTS) throw error;
      onSent(0);
      job.onWaiting(error.message);
      await pause(error.afterMs ?? Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (attempt - 1)), job.signal);
    }
  }
}

/** Waits, or less when the browser says that it is on line again. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      window.removeEventListener("online", end);
      signal.removeEventListener("abort", end);
      if (signal.aborted) reject(signal.reason as Error);
      else resolve();
    };
    const timer = setTimeout(end, ms);
    window.addEventListener("online", end);
    signal.addEventListener("abort", end);
  });
}
