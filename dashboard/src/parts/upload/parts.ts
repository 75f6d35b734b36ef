// How a file is cut. Parts are 8 MiB, so that a broken connection costs little; larger only where 10,000 parts would not do.

const PART_BYTES = 8 * 1024 * 1024;
export const MAX_PART_BYTES = 64 * 1024 * 1024;
const MAX_PARTS = 10_000;

export interface Range {
  /** From 1, as the server counts parts. */
  number: number;
  start: number;
  end: number;
}

export function partBytes(fileBytes: number): number {
  const needed = Math.ceil(fileBytes / MAX_PARTS);
  return Math.min(MAX_PART_BYTES, Math.max(PART_BYTES, needed));
}

export function ranges(fileBytes: number): Range[] {
  const size = partBytes(fileBytes);
  const count = Math.ceil(fileBytes / size);
  return Array.from({ length: count }, (_, index) => ({
    number: index + 1,
    start: index * size,
    end: Math.min(fileBytes, (index + 1) * size),
  }));
}
