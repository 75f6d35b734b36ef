// Who is signed in: asked, begun, ended.
import { type QueryClient, queryOptions, useQuery } from "@tanstack/react-query";
import { ApiFailure, request, setCsrf } from "./client";
import { can, type Permission } from "./permission";
import type { Session } from "./types";

async function take(answer: Response): Promise<Session> {
  const session = (await answer.json()) as Session;
  setCsrf(session.csrf);
  return session;
}

/** The session, or null for nobody. */
export const sessionQuery = queryOptions({
  queryKey: ["session"],
  staleTime: Infinity,
  gcTime: Infinity,
  queryFn: async ({ signal }): Promise<Session | null> => {
    try {
      return await take(await request("/session", { signal }));
    } catch (error) {
      if (error instanceof ApiFailure && error.status === 401) return null;
      throw error;
    }
  },
});

/** Asks whether the session still holds. While the server is away nothing is known, and it is taken to. */
export async function holds(client: QueryClient): Promise<boolean> {
  try {
    client.setQueryData(sessionQuery.queryKey, await take(await request("/session")));
    return true;
  } catch (error) {
    return !(error instanceof ApiFailure && error.status === 401);
  }
}

export async function signIn(key: string): Promise<Session> {
  const headers = { "content-type": "application/json" };
  return take(await request("/session", { method: "POST", headers, body: JSON.stringify({ key }) }));
}

export async function signOut(): Promise<void> {
  await request("/session", { method: "DELETE" });
  setCsrf(null);
}

/** The session of a page behind the sign-in, and its permissions. */
export function useSession() {
  const { data: session } = useQuery(sessionQuery);
  if (!session) throw new Error("useSession is for pages behind the sign-in");
  return {
    session,
    can: (permission: Permission) => can(session, permission),
    /** Whether it is one of the operator's keys, which see all tenants. */
    operator: session.role !== "tenant",
  };
}
