// One part on its way. XMLHttpRequest, because fetch cannot tell how much of a body has left.
import { csrfHeader } from "../../api/client";

export interface PartAnswer {
  id: string;
  sha256: string;
  part_number: number | null;
  bytes: number;
}

/** A part that did not arrive. */
export class PartError extends Error {
  constructor(
    message: string,
    readonly code: string | null,
    /** Whether sending it again can help. */
    readonly retry: boolean,
    /** What the server asks to wait. */
    readonly afterMs: number | null,
  ) {
    super(message);
  }
}

/** How long one part may take: 64 MiB over a slow line. */
const TIMEOUT_MS = 15 * 60 * 1000;

export interface PartRequest {
  uploadId: string;
  number: number;
  data: Blob;
}

export function sendPart(
  part: PartRequest,
  signal: AbortSignal,
  onSent: (bytes: number) => void,
): Promise<PartAnswer> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("POST", `/v1/uploads/${encodeURIComponent(part.uploadId)}/parts`);
    for (const [name, value] of Object.entries(csrfHeader())) request.setRequestHeader(name, value);
    request.timeout = TIMEOUT_MS;
    request.upload.onprogress = ({ loaded }) => onSent(Math.min(loaded, part.data.size));
    request.onloadend = () => signal.removeEventListener("abort", abort);
    request.onabort = () => reject(signal.reason as Error);
    request.onerror = () => reject(new PartError("The connection was lost.", null, true, null));
    request.ontimeout = () => reject(new PartError("A part took too long.", null, true, null));
    request.onload = () =>
      request.status === 200
        ? resolve(JSON.parse(request.responseText) as PartAnswer)
        : reject(refusal(request));
    signal.addEventListener("abort", abort, { once: true });
    const form = new FormData();
    form.append("part_number", String(part.number));
    form.append("data", part.data, "data");
    request.send(form);
  });
}

function refusal(request: XMLHttpRequest): PartError {
  const after = Number(request.getResponseHeader("retry-after-ms"));
  const passing = request.status === 408 || request.status === 429 || request.status >= 500;
  const retry = passing && request.getResponseHeader("x-should-retry") !== "false";
  const error = envelope(request.responseText);
  return new PartError(error.message, error.code, retry, after > 0 ? after : null);
}

function envelope(text: string): { message: string; code: string | null } {
  try {
    const { error } = JSON.parse(text) as { error: { message: string; code: string } };
    return error;
  } catch {
    return { message: "The server gave no reason.", code: null };
  }
}
