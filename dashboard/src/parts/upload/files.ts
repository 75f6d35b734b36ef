// What was dropped or chosen becomes the two files of one adapter, or a sentence that says what is missing.

export const CONFIG = "adapter_config.json";
export const WEIGHTS = "adapter_model.safetensors";

/** The longest adapter_config.json that the server reads. */
const MAX_CONFIG_BYTES = 64 * 1024;
/** Folders within each other that are looked into: PEFT saves one level per adapter. */
const MAX_DEPTH = 3;
/** A dropped folder may be a whole checkpoint; more files than this are not looked through. */
const MAX_FILES = 2000;

export interface AdapterFiles {
  /** The config's text, sent as it is to the byte. */
  config: string;
  weights: File;
  /** A name to begin with, made from the folder's; may be empty. */
  suggestedName: string;
  /** Of the config, for a preview; what is not there is null. */
  rank: number | null;
  baseModel: string | null;
}

/** What a person can correct. */
export class FilesError extends Error {}

export interface Found {
  path: string;
  file: File;
}

/** Files of a drop, also those within dropped folders. Must be called in the drop's own event: the list is empty after it. */
export async function filesOfDrop(data: DataTransfer): Promise<Found[]> {
  const entries = Array.from(data.items, (item) => item.webkitGetAsEntry());
  const plain = Array.from(data.files, (file) => ({ path: file.name, file }));
  if (entries.every((entry) => entry === null)) return plain;
  const found: Found[] = [];
  for (const entry of entries) if (entry) await walk(entry, 0, found);
  return found;
}

/** Files of an `<input type="file">`, also one that chooses a folder. */
export function filesOfInput(files: FileList): Found[] {
  return Array.from(files, (file) => ({ path: file.webkitRelativePath || file.name, file }));
}

async function walk(entry: FileSystemEntry, depth: number, found: Found[]): Promise<void> {
  if (found.length >= MAX_FILES) return;
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
  } else if (depth < MAX_DEPTH) {
    const reader = (entry as FileSystemDirectoryEntry).createReader();
    for (;;) {
      // A reader gives at most some hundred entries at once; an empty batch is the end.
      const batch = await new Promise<FileSystemEntry[]>((resolve, reject) =>
        reader.readEntries(resolve, reject),
      );
      if (batch.length === 0) return;
      for (const child of batch) await walk(child, depth + 1, found);
    }
  }
}

/** The one adapter among the files. */
export async function adapterOf(found: Found[]): Promise<AdapterFiles> {
  const configs = found.filter(({ file }) => file.name === CONFIG);
  const weights = found.filter(({ file }) => file.name === WEIGHTS);
  const config = only(configs, CONFIG, found);
  const bytes = only(weights, WEIGHTS, found);
  if (config.file.size > MAX_CONFIG_BYTES) {
    throw new FilesError(`${CONFIG} is larger than 64 KiB. Drop the file that PEFT saved.`);
  }
  if (bytes.file.size === 0) throw new FilesError(`${WEIGHTS} is empty. Save the adapter again.`);
  const text = await config.file.text();
  const parsed = parse(text);
  return {
    config: text,
    weights: bytes.file,
    suggestedName: nameOf(config.path),
    rank: typeof parsed["r"] === "number" ? parsed["r"] : null,
    baseModel:
      typeof parsed["base_model_name_or_path"] === "string" ? parsed["base_model_name_or_path"] : null,
  };
}

function only(matches: Found[], name: string, all: Found[]): Found {
  const [first, second] = matches;
  if (first && !second) return first;
  if (first && second) {
    throw new FilesError(
      `There is more than one ${name}: ${first.path} and ${second.path}. Drop the folder of one adapter.`,
    );
  }
  throw new FilesError(missing(name, all));
}

function missing(name: string, all: Found[]): string {
  const other = all.find(({ file }) => /\.(bin|pt|pth|gguf)$/.test(file.name));
  if (name === WEIGHTS && other) {
    return `${other.file.name} is not served. Save the adapter as safetensors: model.save_pretrained("out") writes ${WEIGHTS}.`;
  }
  const safetensors = all.find(({ file }) => file.name.endsWith(".safetensors"));
  if (name === WEIGHTS && safetensors) {
    return `${WEIGHTS} is missing; ${safetensors.file.name} has another name. Drop the folder that PEFT saved.`;
  }
  return `${name} is missing. Drop the folder that PEFT saved, or both of its files together.`;
}

function parse(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new FilesError(`${CONFIG} is not valid JSON. Drop the file that PEFT saved.`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new FilesError(`${CONFIG} is not a JSON object. Drop the file that PEFT saved.`);
  }
  return value as Record<string, unknown>;
}

/** `runs/Ticket Triage/adapter_config.json` suggests `ticket-triage`; a bare file suggests nothing. */
function nameOf(path: string): string {
  const folder = path.split("/").at(-2) ?? "";
  return folder
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/^[^a-z0-9]+/, "")
    .slice(0, 64)
    .replace(/[^a-z0-9]+$/, "");
}
