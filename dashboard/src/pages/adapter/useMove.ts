// Moves an alias, if it is still where it was seen. Else says where it is now, and lets one look before moving all the same.
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, ApiFailure, data } from "../../api/client";
import type { Alias, AliasDetail } from "../../api/types";
import { tellDone } from "../../parts/tell";
import { isConflict, shareWords, type Target } from "./targets";
import { readAlias, useRefresh } from "./useAdapter";

export interface Move {
  alias: string;
  targets: Target[];
}

/** `seen` is the alias as it was shown; null when it is to be made. */
export function useMove(name: string, seen: Alias | null, onMoved: () => void) {
  const refresh = useRefresh();
  const [theirs, setTheirs] = useState<AliasDetail | null>(null);
  const expected_revision = (theirs ?? seen)?.revision ?? 0;
  const move = useMutation({
    mutationFn: ({ alias, targets }: Move) =>
      data(
        api.PUT("/v1/adapters/{name}/aliases/{alias}", {
          params: { path: { name, alias } },
          body: { targets, expected_revision },
        }),
      ),
    onSuccess: ({ model, targets }) => {
      tellDone(`${model} is ${shareWords(targets)} now.`);
      refresh();
      onMoved();
    },
    onError: async (error, { alias }) => {
      if (!isConflict(error)) return;
      refresh();
      setTheirs(await stateNow(name, alias));
    },
  });
  return { move, theirs, error: isConflict(move.error) && theirs ? null : move.error };
}

/** Null when somebody has deleted it meanwhile. */
async function stateNow(name: string, alias: string): Promise<AliasDetail | null> {
  try {
    return await readAlias(name, alias);
  } catch (error) {
    if (error instanceof ApiFailure && error.status === 404) return null;
    throw error;
  }
}
