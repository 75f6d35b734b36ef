// What an event changed, field by field.
export interface Change {
  field: string;
  before: string | null;
  after: string | null;
}

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const text = (value: unknown) =>
  value === undefined ? null : typeof value === "string" ? value : JSON.stringify(value, null, 1);

/** `before` and `after` side by side; null when the event tells of no change. */
export function changesOf(detail: Fields): Change[] | null {
  if (!("before" in detail) && !("after" in detail)) return null;
  const before = isFields(detail.before) ? detail.before : {};
  const after = isFields(detail.after) ? detail.after : {};
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return fields.map((field) => ({ field, before: text(before[field]), after: text(after[field]) }));
}

/** What else the event tells. */
export function factsOf(detail: Fields): { field: string; value: string }[] {
  return Object.entries(detail)
    .filter(([field]) => field !== "before" && field !== "after")
    .map(([field, value]) => ({ field, value: text(value) ?? "" }));
}
