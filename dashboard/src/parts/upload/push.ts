// Completed weights and a config become a version: the push's states, to its end.
import { ApiFailure, api, data, request } from "../../api/client";
import type { Push } from "../../api/types";
import { pause } from "./inParts";

const POLL_MS = 1000;

export interface NewVersion {
  name: string;
  /** The config's own text: a parsed and printed one would have other numbers' spellings, and another digest. */
  config: string;
  uploadId: string;
  /** Whether the plain name answers with it at once. */
  latest: boolean;
}

/** Tells each state, and gives the last: `ready`, `rejected` or `failed`. */
export async function push(
  version: NewVersion,
  signal: AbortSignal,
  onState: (push: Push) => void,
): Promise<Push> {
  const begun = await begin(version, signal);
  onState(begun);
  return follow(begun, signal, onState);
}

async function begin({ name, config, uploadId, latest }: NewVersion, signal: AbortSignal): Promise<Push> {
  const body = `{"name":${JSON.stringify(name)},"config":${config},"weights_upload_id":${JSON.stringify(uploadId)}}`;
  const headers = { "content-type": "application/json" };
  const path = `/v1/adapters?wait=false&latest=${latest}`;
  try {
    const answer = await request(path, { method: "POST", headers, body, signal });
    return (await answer.json()) as Push;
  } catch (error) {
    // Refused before it was answered: the failure names the push, whose record has all of it.
    const id = pushOf(error);
    if (id === null) throw error;
    return read(id);
  }
}

function pushOf(error: unknown): string | null {
  if (!(error instanceof ApiFailure)) return null;
  const body = error.body as { error?: { push?: string | null } } | null;
  return body?.error?.push ?? null;
}

/** Asks again and again; a lost connection is waited out, since the push goes on without us. */
async function follow(begun: Push, signal: AbortSignal, onState: (push: Push) => void): Promise<Push> {
  let current = begun;
  while (current.status === "validating") {
    await pause(POLL_MS, signal);
    try {
      current = await read(current.id);
      onState(current);
    } catch (error) {
      if (!(error instanceof ApiFailure && error.passing)) throw error;
    }
  }
  return current;
}

function read(id: string): Promise<Push> {
  return data(api.GET("/v1/pushes/{id}", { params: { path: { id } } }));
}
