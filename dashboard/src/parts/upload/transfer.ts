// Weights to the server: hash → find what is there → send what is missing → complete. The server keeps what has arrived and is
// asked for it, so that the same file goes on after a lost connection, a reload or in another browser.
import { ApiFailure, api, data } from "../../api/client";
import { hashFile, type Hashes } from "./hash";
import { pause, sendAll } from "./inParts";
import { ranges } from "./parts";
import type { PartAnswer } from "./sendPart";
import { WEIGHTS } from "./files";

export interface TransferProgress {
  phase: "hashing" | "sending" | "completing";
  /** Of the file, in this phase. */
  bytes: number;
  /** What an earlier try had sent. */
  found: number;
  /** Why it waits, when it does. */
  waiting: string | null;
}

interface Target {
  id: string;
  /** Parts that are there already, by number. */
  there: Map<number, PartAnswer>;
}

type Report = (progress: TransferProgress) => void;

/** The id of the completed upload. */
export async function transfer(file: File, signal: AbortSignal, report: Report): Promise<string> {
  const cut = ranges(file.size);
  const progress: TransferProgress = { phase: "hashing", bytes: 0, found: 0, waiting: null };
  const tell = (change: Partial<TransferProgress>) => report(Object.assign(progress, change));
  const hashes = await hashFile({ file, ranges: cut }, signal, (bytes) => tell({ bytes }));
  const completed = await find("completed", file, hashes.sha256);
  if (completed) return completed;

  const target = await begin(file, hashes);
  const missing = cut.filter(({ number }) => !target.there.has(number));
  const found = file.size - missing.reduce((sum, range) => sum + range.end - range.start, 0);
  tell({ phase: "sending", bytes: found, found });
  const sent = await sendAll({
    uploadId: target.id,
    file,
    ranges: missing,
    signal,
    onSent: (bytes) => tell({ bytes: found + bytes }),
    onWaiting: (waiting) => tell({ waiting }),
  });
  tell({ phase: "completing", bytes: file.size, waiting: null });
  const part_ids = cut.map(({ number }) => (target.there.get(number) ?? sent.get(number))?.id ?? "");
  await complete(target.id, { part_ids, sha256: hashes.sha256 }, signal);
  return target.id;
}

/** An upload of the same bytes that can be used or gone on with. */
async function find(status: "pending" | "completed", file: File, sha256: string): Promise<string | null> {
  const page = await data(api.GET("/v1/uploads", { params: { query: { status, limit: 100 } } }));
  const same = page.data.find(
    (upload) => upload.sha256 === sha256 && upload.bytes === file.size && !upload.used,
  );
  return same?.id ?? null;
}

async function begin(file: File, { sha256, parts }: Hashes): Promise<Target> {
  const pending = await find("pending", file, sha256);
  if (pending) {
    const there = await arrived(pending);
    // Parts that were cut in another way, by the command line perhaps, would be in the way of ours.
    const fits = [...there.values()].every((part) => parts[(part.part_number ?? 0) - 1] === part.sha256);
    if (fits) return { id: pending, there };
    await cancel(pending);
  }
  const body = { filename: WEIGHTS, bytes: file.size, sha256 };
  const upload = await data(api.POST("/v1/uploads", { body }));
  return { id: upload.id, there: new Map() };
}

/** The parts that are there, by number. */
export async function arrived(id: string): Promise<Map<number, PartAnswer>> {
  const there = new Map<number, PartAnswer>();
  for (let after: string | undefined; ;) {
    const query = after === undefined ? { limit: 100 } : { limit: 100, after };
    const page = await data(api.GET("/v1/uploads/{id}/parts", { params: { path: { id }, query } }));
    for (const part of page.data) {
      // A part without a number has no place that we know; -1 makes it not fit.
      const number = part.part_number ?? -1;
      there.set(number, { ...part, part_number: number });
    }
    if (!page.has_more) return there;
    after = page.last_id ?? undefined;
  }
}

/** Gives an upload up, and with it the room that it holds of the tenant's. */
export async function cancel(id: string): Promise<void> {
  await api.POST("/v1/uploads/{id}/cancel", { params: { path: { id } } });
}

async function complete(
  id: string,
  body: { part_ids: string[]; sha256: string },
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      await api.POST("/v1/uploads/{id}/complete", { params: { path: { id } }, body });
      return;
    } catch (error) {
      const passing = error instanceof ApiFailure && error.passing;
      if (!passing || attempt === 10) throw error;
      await pause(1000 * attempt, signal);
    }
  }
}
