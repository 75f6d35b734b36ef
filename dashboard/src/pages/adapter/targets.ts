// How requests are shared among versions.
import { ApiFailure } from "../../api/client";
import type { Alias } from "../../api/types";

export type Target = Alias["targets"][number];

export const MAX_TARGETS = 8;
export const MAX_WEIGHT = 1000;

/** An alias's name: the server's own rule; digits alone would be a version. */
export const ALIAS = /^(?!\d+$)[a-z0-9][a-z0-9._-]{0,63}$/;

export const weightOf = ({ weight }: Target) => weight;

export function shareOf(target: Target, targets: Target[]): number {
  const all = targets.reduce((sum, one) => sum + weightOf(one), 0);
  return all === 0 ? 0 : weightOf(target) / all;
}

/** @3, or @1 90% · @2 10% */
export function shareWords(targets: Target[]): string {
  if (targets.length === 1) return `@${targets[0]?.version ?? ""}`;
  return targets.map((target) => `@${target.version} ${percentOf(target, targets)}`).join(" · ");
}

export function percentOf(target: Target, targets: Target[]): string {
  const share = shareOf(target, targets) * 100;
  return `${(share > 0 && share < 1) || (share > 99 && share < 100) ? share.toFixed(1) : Math.round(share)}%`;
}

/** Whether somebody else moved the alias since it was looked at. */
export const isConflict = (error: unknown) => error instanceof ApiFailure && error.code === "alias_moved";
