import { useQuery } from "@tanstack/react-query";
import { api, data } from "../../api/client";
import { compact, percent } from "../../parts/format";
import { REQUEST_LIMITS } from "../../parts/limits/limits";
import classes from "./usage.module.css";

interface Row {
  label: string;
  limit: number;
  left: number;
}

/** What is left now of a tenant's limits, and of its key's. Nothing while nothing is limited. */
export function Left() {
  const { data: limits } = useQuery({
    queryKey: ["limits"],
    queryFn: ({ signal }) => data(api.GET("/v1/limits", { signal })),
    refetchInterval: 15_000,
  });
  if (!limits) return null;
  const sides = [
    { whose: "", limit: limits.tenant, left: limits.tenant_left },
    { whose: " (this key)", limit: limits.key, left: limits.key_left },
  ];
  const rows = sides.flatMap(({ whose, limit, left }) =>
    REQUEST_LIMITS.flatMap(({ name, label }): Row[] => {
      const most = limit?.[name];
      const now = left?.[name as keyof typeof left];
      return typeof most === "number" && now
        ? [{ label: label + whose, limit: most, left: now.remaining }]
        : [];
    }),
  );
  if (rows.length === 0) return null;
  return (
    <div className={classes.left} role="group" aria-label="Left of the limits">
      {rows.map(({ label, limit, left }) => (
        <div key={label}>
          <span>{label}</span>
          <meter
            min={0}
            max={Math.max(limit, 1)}
            value={limit - left}
            high={limit * 0.9}
            aria-label={`${label}, used`}
          >
            {percent(limit - left, limit)}
          </meter>
          <span>
            <b>{compact(left)}</b> of {compact(limit)} left
          </span>
        </div>
      ))}
    </div>
  );
}
