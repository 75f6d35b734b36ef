import { Alert } from "@mantine/core";
import type { AliasDetail } from "../../api/types";
import { Time } from "../../parts/Time";
import { shareWords } from "./targets";

/** Somebody else was faster: what they made of it. */
export function Conflict({ theirs }: { theirs: AliasDetail | null }) {
  if (theirs === null) return null;
  return (
    <Alert color="yellow" role="alert" p="xs" title="Somebody else has changed it meanwhile">
      {theirs.model} is <strong>{shareWords(theirs.targets)}</strong> now (revision {theirs.revision},{" "}
      <Time at={theirs.moved_at} relative />
      ). Nothing of yours was saved. Look at it, then save again to replace it.
    </Alert>
  );
}
