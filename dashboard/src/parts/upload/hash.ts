// The page's side of the worker that hashes.

import type { Range } from "./parts";

export interface HashRequest {
  file: File;
  ranges: Range[];
}

export type HashMessage =
  | { kind: "progress"; bytes: number }
  | { kind: "done"; sha256: string; parts: string[] }
  | { kind: "failed"; message: string };

export interface Hashes {
  sha256: string;
  /** Of each part, in order. */
  parts: string[];
}

export function hashFile(
  request: HashRequest,
  signal: AbortSignal,
  onProgress: (bytes: number) => void,
): Promise<Hashes> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./hash.worker.ts", import.meta.url), { type: "module" });
    const stop = () => worker.terminate();
    const fail = (error: Error) => {
      stop();
      reject(error);
    };
    signal.addEventListener("abort", () => fail(signal.reason as Error), { once: true });
    worker.onerror = () => fail(new Error("The file could not be hashed in this browser."));
    worker.onmessage = ({ data }: MessageEvent<HashMessage>) => {
      if (data.kind === "progress") onProgress(data.bytes);
      else if (data.kind === "failed") fail(new Error(`The file cannot be read: ${data.message}`));
      else {
        stop();
        resolve({ sha256: data.sha256, parts: data.parts });
      }
    };
    worker.postMessage(request);
  });
}
