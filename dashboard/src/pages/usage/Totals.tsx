import { count, percent } from "../../parts/format";
import { useSetSearch } from "../../parts/useListSearch";
import { type Measure, measures, type Sums } from "./groups";
import classes from "./usage.module.css";

/** The sums of all that is shown; each is a button that shows its bars. */
export function Totals({ sums, measure }: { sums: Sums; measure: Measure }) {
  const set = useSetSearch();
  const notes: Record<Measure, string> = {
    output: "\u00a0",
    input: `${percent(sums.cached, sums.input)} cached`,
    requests: `${percent(sums.failed, sums.requests)} failed`,
  };
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
          <span>{notes[value]}</span>
        </button>
      ))}
    </div>
  );
}
