// Server-sent events out of a fetch body: EventSource cannot POST. Only `data:` matters here.

/** The data of each event, as it arrives. Events may be cut anywhere by the network, also within a character. */
export async function* eventData(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += decoder.decode(value, { stream: !done });
      const blocks = rest.split(/\r?\n\r?\n/);
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const data = dataOf(block);
        if (data !== null) yield data;
      }
      if (done) return;
    }
  } finally {
    // Whoever stops listening hangs up, and the server stops generating.
    await reader.cancel().catch(() => undefined);
  }
}

/** Lines that begin with a colon are comments: the server's sign of life. */
function dataOf(block: string): string | null {
  const lines = block.split(/\r?\n/).filter((line) => line.startsWith("data:"));
  if (lines.length === 0) return null;
  return lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n");
}
