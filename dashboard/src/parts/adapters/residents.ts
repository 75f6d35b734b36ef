// Which versions are in the engine's memory now, from the live numbers.
import { useMemo } from "react";
import type { Owner } from "../../api/adapters";
import { useLive } from "../../api/live";
import type { Resident } from "../../api/types";

/** By digest: an adapter's name may be given to other bytes later. Null while nothing is known. */
export type Residents = ReadonlyMap<string, Resident> | null;

export function useResidents(owner: Owner): Residents {
  const { now } = useLive(owner === null ? "/v1/live" : "/admin/v1/live");
  const resident = now?.adapters.resident.filter(({ tenant }) => owner === null || tenant === owner);
  // An event a second, and mostly nothing has changed: the same map then, so that lists are not drawn anew.
  const spelled = resident ? JSON.stringify(resident) : null;
  return useMemo(() => {
    if (spelled === null) return null;
    const list = JSON.parse(spelled) as Resident[];
    return new Map(list.map((one) => [one.digest, one]));
  }, [spelled]);
}
