// The one way to the server: typed by its own OpenAPI document, failures as `ApiFailure` in the server's words.
import createClient from "openapi-fetch";
import type { paths } from "./schema";

/** What the server refused, or that it could not be reached (status 0). */
export class ApiFailure extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly code: string | null = null,
    readonly param: string | null = null,
    readonly requestId: string | null = null,
    /** The whole answer, for failures that carry more than words, such as a refused push. */
    readonly body: unknown = null,
  ) {
    super(message);
    this.name = "ApiFailure";
  }

  /** Whether asking again later may help. */
  get passing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

let csrf: string | null = null;
let onSignedOut: () => unknown = () => undefined;

/** Called with each session: what changes something is sent with its token. */
export function setCsrf(token: string | null) {
  csrf = token;
}

/** Called once by the app: what to do when the server may no longer know the session. */
export function whenSignedOut(then: () => unknown) {
  onSignedOut = then;
}

/** Somebody has reason to think that nobody is signed in any more. */
export const maybeSignedOut = () => onSignedOut();

/** The failure that an answer tells of. */
export async function failureOf(answer: Response): Promise<ApiFailure> {
  const requestId = answer.headers.get("x-request-id");
  const body: unknown = await answer.json().catch(() => null);
  const error = (body as { error?: { message?: string; code?: string | null; param?: string | null } } | null)
    ?.error;
  const words = error?.message ?? `The server answered ${answer.status} ${answer.statusText}`.trim();
  return new ApiFailure(words, answer.status, error?.code ?? null, error?.param ?? null, requestId, body);
}

/** `fetch` with the session's token, and failures as `ApiFailure`. For what the typed client cannot say: streams and uploads. */
export async function request(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  const asked = new Request(input, init);
  if (csrf !== null && asked.method !== "GET" && asked.method !== "HEAD")
    asked.headers.set("x-csrf-token", csrf);
  let answer: Response;
  try {
    answer = await fetch(asked);
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiFailure("The server cannot be reached. Check your connection, then try again.", 0);
  }
  if (answer.ok) return answer;
  const failure = await failureOf(answer);
  if (failure.status === 401 && !asked.url.endsWith("/session")) onSignedOut();
  throw failure;
}

/** The token for requests that are not made with `fetch`, such as an upload that shows its progress. */
export function csrfHeader(): Record<string, string> {
  return csrf === null ? {} : { "x-csrf-token": csrf };
}

export const api = createClient<paths>({ baseUrl: location.origin, fetch: (asked) => request(asked) });

/** The data of a typed request, which is there whenever nothing was thrown. */
export async function data<T>(asked: Promise<{ data?: T }>): Promise<T> {
  return (await asked).data as T;
}
