// Hashes a file away from the page: SHA-256 of all of it, and of each part. The Web Crypto API wants a file in memory at once and
// is missing on pages without TLS, so the hash is computed in JavaScript, a piece at a time.

import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";
import type { HashMessage, HashRequest } from "./hash";

/** What is read at once. */
const PIECE_BYTES = 1024 * 1024;

const post = (message: HashMessage) => self.postMessage(message);

self.onmessage = async ({ data }: MessageEvent<HashRequest>) => {
  try {
    const whole = sha256.create();
    const parts: string[] = [];
    for (const { start, end } of data.ranges) {
      const part = sha256.create();
      for (let at = start; at < end; at += PIECE_BYTES) {
        const piece = new Uint8Array(
          await data.file.slice(at, Math.min(end, at + PIECE_BYTES)).arrayBuffer(),
        );
        whole.update(piece);
        part.update(piece);
        post({ kind: "progress", bytes: at + piece.length });
      }
      parts.push(bytesToHex(part.digest()));
    }
    post({ kind: "done", sha256: bytesToHex(whole.digest()), parts });
  } catch (error) {
    post({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  }
};
