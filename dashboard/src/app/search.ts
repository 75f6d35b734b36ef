// What the pages keep in the address, beyond the path. Anything else in an address is dropped.

const text = (value: unknown) =>
  typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : undefined;

/** A parser of an address's parameters: those named, when they are there and not empty. */
export function texts<const Name extends string>(...names: Name[]) {
  return (raw: Record<string, unknown>): Partial<Record<Name, string>> => {
    const found: Partial<Record<Name, string>> = {};
    for (const name of names) {
      const value = text(raw[name]);
      if (value !== undefined) found[name] = value;
    }
    return found;
  };
}
