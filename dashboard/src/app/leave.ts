import type { AnyRouter } from "@tanstack/react-router";
import { sessionQuery } from "../api/session";
import { queryClient } from "./query";

/** Leaves for the sign-in, once, and forgets what was asked as the one who was signed in. */
export async function leave(router: AnyRouter, why: "expired" | "out") {
  const { pathname, href } = router.latestLocation;
  if (pathname === "/sign-in") return;
  await router.navigate({ to: "/sign-in", search: why === "out" ? {} : { why, to: href } });
  // After the way out, so that no page is left standing without a session.
  queryClient.clear();
  queryClient.setQueryData(sessionQuery.queryKey, null);
}
