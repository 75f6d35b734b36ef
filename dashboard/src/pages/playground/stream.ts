// One answer as it is written: what arrived, when, and who wrote it.
import { ApiFailure, request } from "../../api/client";
import type { ChatBody } from "./snippets";
import { eventData } from "./sse";

export interface Answer {
  text: string;
  state: "waiting" | "writing" | "done" | "stopped" | "failed";
  /** The exact version that answers. */
  model: string | null;
  digest: string | null;
  finish: string | null;
  /** To the first token, seen from here. */
  ttftMs: number | null;
  tokensPerS: number | null;
  promptTokens: number | null;
  cachedTokens: number | null;
  outputTokens: number;
  error: string | null;
}

export const UNANSWERED: Answer = {
  text: "",
  state: "waiting",
  model: null,
  digest: null,
  finish: null,
  ttftMs: null,
  tokensPerS: null,
  promptTokens: null,
  cachedTokens: null,
  outputTokens: 0,
  error: null,
};

/** Tokens that arrive within this came in one piece: what it would tell is the network, not the model. */
const MEASURABLE_MS = 10;

interface Chunk {
  model: string;
  choices: { delta: { content?: string }; finish_reason: string | null }[];
  usage?: {
    prompt_tokens: number;
    completion_tokens: number;
    prompt_tokens_details?: { cached_tokens: number };
  };
  error?: { message: string };
}

/** Tells each change of the answer, and ends in one of its last states. Never throws. */
export async function answer(
  body: ChatBody,
  signal: AbortSignal,
  onChange: (answer: Answer) => void,
): Promise<void> {
  const begun = performance.now();
  const current = { ...UNANSWERED };
  const tell = (change: Partial<Answer>) => onChange({ ...Object.assign(current, change) });
  let first: number | null = null;
  try {
    const answered = await ask(body, signal);
    tell({ digest: answered.headers.get("x-tenora-adapter-digest") });
    if (!answered.body) throw new ApiFailure("The answer has no body.", answered.status);
    for await (const text of eventData(answered.body)) {
      if (text === "[DONE]") {
        tell({ state: "done" });
        return;
      }
      const chunk = JSON.parse(text) as Chunk;
      if (chunk.error) {
        tell({ state: "failed", error: chunk.error.message });
        return;
      }
      const now = performance.now();
      if (first === null && chunk.choices[0]?.delta.content) {
        first = now;
        tell({ ttftMs: now - begun });
      }
      tell(advance(current, chunk, now - (first ?? now)));
    }
    tell({ state: "failed", error: "The connection ended before the answer did." });
  } catch (error) {
    if (signal.aborted) tell({ state: "stopped" });
    else tell({ state: "failed", error: error instanceof Error ? error.message : String(error) });
  }
}

function ask(body: ChatBody, signal: AbortSignal): Promise<Response> {
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
  const headers = { "content-type": "application/json" };
  return request("/v1/chat/completions", { method: "POST", headers, body: JSON.stringify(streamed), signal });
}

/** The first token's time is not the speed's: it is the prompt's. */
function advance(current: Answer, chunk: Chunk, sinceFirstMs: number): Partial<Answer> {
  const choice = chunk.choices[0];
  const outputTokens =
    chunk.usage?.completion_tokens ?? current.outputTokens + (choice?.delta.content ? 1 : 0);
  const known = choice !== undefined && outputTokens > 1 && sinceFirstMs >= MEASURABLE_MS;
  const tokensPerS = known ? ((outputTokens - 1) * 1000) / sinceFirstMs : current.tokensPerS;
  return {
    state: "writing",
    model: chunk.model,
    text: current.text + (choice?.delta.content ?? ""),
    finish: choice?.finish_reason ?? current.finish,
    promptTokens: chunk.usage?.prompt_tokens ?? current.promptTokens,
    cachedTokens: chunk.usage?.prompt_tokens_details?.cached_tokens ?? current.cachedTokens,
    outputTokens,
    tokensPerS,
  };
}
