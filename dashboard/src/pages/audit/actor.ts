import type { AuditEvent } from "../../api/types";

/** Who did it, in words. */
export function actorOf(actor: AuditEvent["actor"]): string {
  switch (actor.type) {
    case "admin":
      return "Operator";
    case "system":
      return "The server itself";
    case "key":
      return actor.key_id === null ? "A key" : `Key tk_${actor.key_id.slice(0, 8)}…${actor.key_id.slice(-4)}`;
    default:
      return actor.subject ?? actor.type;
  }
}
