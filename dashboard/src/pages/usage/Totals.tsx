import { count, percent } from "../../parts/format";
import { useSetSearch } from "../../parts/useListSearch";
import { type Measure, measures, type Sums } from "./groups";
import classes from "./usage.module.css";

/** The sums of all that is shown; each is a button that shows its bars. */
export function Totals({ sums, measure }: { sums: Sums; measure: Measure }) {
  const set = useSetSearch();
  return (
    <div className={classes.totals} role="group" aria-label="Measure">
      {measures.map(({ value, label }) => (
        <button
          key={value}
          type="button"
          className={classes.total}
          aria-pressed={value === measure}
          onClick={() => set({ measure: value })}
        >
          <span>{label}</span>
          <b>{count(sums[value])}</b>
          <span>{value === "input" ? `${percent(sums.cached, sums.input)} cached` : "\u00a0"}</span>
        </button>
      ))}
    </div>
  );
}
