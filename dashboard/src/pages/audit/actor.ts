import type { AuditEvent } from "../../api/types";
import { keyLabel } from "../../parts/format";

/** Who did it, in words. */
export function actorOf(actor: AuditEvent["actor"]): string {
  switch (actor.type) {
    case "admin":
      return "Operator";
    case "system":
      return "The server itself";
    case "key":
      return actor.key_id === null ? "A key" : `Key ${keyLabel(actor.key_id)}`;
    default:
      return actor.subject ?? actor.type;
  }
}
