// What the playground keeps in the address: the models and how they are asked, so that a link shows the same set-up.
import type { ChatBody, Turn } from "./snippets";

export const MAX_COLUMNS = 4;

/** As they are in the address and in the fields: texts, empty where the server's default holds. */
export type PlaygroundSearch = Partial<
  Record<"models" | "system" | "temperature" | "top_p" | "max_tokens" | "seed" | "stop", string>
>;

/** The models side by side; a comma cannot be in a name. */
export function modelsOf(search: PlaygroundSearch, base: string): string[] {
  const named = (search.models ?? base).split(",").slice(0, MAX_COLUMNS);
  return named.length > 0 ? named : [base];
}

/** One to a line, as they are typed. */
export const stopsOf = (search: PlaygroundSearch) =>
  (search.stop ?? "").split("\n").filter((text) => text !== "");

interface NumberField {
  name: "temperature" | "top_p" | "max_tokens" | "seed";
  label: string;
  hint: string;
  min: number;
  max: number;
  step: number;
  whole: boolean;
}

export const NUMBERS: NumberField[] = [
  {
    name: "temperature",
    label: "Temperature",
    hint: "0 always takes the likeliest token; empty is 1",
    min: 0,
    max: 2,
    step: 0.1,
    whole: false,
  },
  {
    name: "top_p",
    label: "Top p",
    hint: "Only the likeliest tokens up to this share; empty is 1",
    min: 0.01,
    max: 1,
    step: 0.05,
    whole: false,
  },
  {
    name: "max_tokens",
    label: "Max tokens",
    hint: "Empty is what the context has left",
    min: 1,
    max: 1_000_000,
    step: 16,
    whole: true,
  },
  {
    name: "seed",
    label: "Seed",
    hint: "The same seed gives the same answer",
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    step: 1,
    whole: true,
  },
];

/** The request for one model. Values that cannot be are left to the server's own words. */
export function bodyOf(search: PlaygroundSearch, model: string, turns: Turn[]): ChatBody {
  const system: Turn[] = search.system ? [{ role: "system", content: search.system }] : [];
  const body: ChatBody = { model, messages: [...system, ...turns] };
  for (const { name } of NUMBERS) {
    const value = Number(search[name]);
    if (search[name] && Number.isFinite(value)) body[name] = value;
  }
  const stop = stopsOf(search);
  if (stop.length > 0) body.stop = stop;
  return body;
}
