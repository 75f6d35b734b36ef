// Usage from the API, a page after the other.
import { api, data } from "../../api/client";
import type { UsagePage } from "../../api/types";
import type { Period, Width } from "./period";

export type By = "tenant" | "model" | "key";
type Column = "project_id" | "model" | "api_key_id";

/** What the address asks for. */
export interface Asked {
  period: Period;
  by: By;
  operator: boolean;
  tenant: string | undefined;
  /** An adapter's name, `name@7` or the base model's id; several with commas between. */
  model: string | undefined;
}

/** The most buckets that a page of the API has. */
export const PAGE_BUCKETS: Record<Width, number> = { "1h": 168, "1d": 31 };

/** For the operator, names of models and ids of keys say little without their tenant. */
const groupsFor = (by: By, operator: boolean): Column[] => {
  const own = ({ tenant: "project_id", model: "model", key: "api_key_id" } as const)[by];
  return operator && own !== "project_id" ? ["project_id", own] : [own];
};

/** `limit` buckets a page; with `top` only so many groups of a page are told apart. */
interface Size {
  limit: number;
  top?: number;
}

export async function* usagePages(asked: Asked, size: Size, signal: AbortSignal) {
  let page: string | null = null;
  do {
    const answer: UsagePage = await onePage(asked, size, page, signal);
    yield answer.data;
    page = answer.has_more ? answer.next_page : null;
  } while (page !== null);
}

function onePage(asked: Asked, size: Size, page: string | null, signal: AbortSignal): Promise<UsagePage> {
  const { period, by, operator, tenant, model } = asked;
  const query = {
    ...size,
    start_time: period.start,
    ...(period.end !== undefined && { end_time: period.end }),
    bucket_width: period.width,
    group_by: groupsFor(by, operator),
    ...(model && { models: model.split(",") }),
    ...(page !== null && { page }),
  };
  if (!operator) return data(api.GET("/v1/usage", { params: { query }, signal }));
  const all = { ...query, ...(tenant && { project_ids: [tenant] }) };
  return data(api.GET("/admin/v1/usage", { params: { query: all }, signal }));
}
