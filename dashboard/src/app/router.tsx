// Every page and its address. Pages are loaded when they are first visited.
import {
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";
import { ApiFailure, whenSignedOut } from "../api/client";
import { can, type Permission } from "../api/permission";
import { sessionQuery, holds } from "../api/session";
import type { Session } from "../api/types";
import { Loading } from "../parts/Loading";
import { Layout } from "./layout";
import { leave } from "./leave";
import { NotFound, RouteError } from "./lost";
import { firstPage } from "./navigation";
import { queryClient } from "./query";
import { texts } from "./search";

const root = createRootRoute({ notFoundComponent: NotFound });

const signIn = createRoute({
  getParentRoute: () => root,
  path: "/sign-in",
  validateSearch: texts("to", "why"),
  component: lazyRouteComponent(() => import("../pages/sign-in"), "SignIn"),
});

const shell = createRoute({
  getParentRoute: () => root,
  id: "shell",
  beforeLoad: async ({ location }) => {
    const session = await queryClient.query({ ...sessionQuery, staleTime: "static" });
    if (!session)
      throw redirect({ to: "/sign-in", search: location.href === "/" ? {} : { to: location.href } });
    return { session };
  },
  component: Layout,
});

/** A page of the frame, for whoever may open it. */
const child = <const Path extends string>(path: Path, needs: Permission) => ({
  getParentRoute: () => shell,
  path,
  beforeLoad: ({ context }: { context: { session: Session } }) => {
    if (can(context.session, needs)) return;
    throw new ApiFailure(`Your key may not open this page: it needs ${needs}.`, 403);
  },
});

const pages = [
  createRoute({
    ...child("/", "usage:read"),
    validateSearch: texts("sort"),
    beforeLoad: ({ context }) => {
      if (can(context.session, "usage:read")) return;
      throw redirect({ to: firstPage(context.session) });
    },
    component: lazyRouteComponent(() => import("../pages/overview"), "Overview"),
  }),
  createRoute({
    ...child("/tenants", "tenants:read"),
    validateSearch: texts("q", "sort"),
    component: lazyRouteComponent(() => import("../pages/tenants"), "Tenants"),
  }),
  createRoute({
    ...child("/tenants/$slug", "tenants:read"),
    validateSearch: texts("tab", "q", "sort", "show"),
    component: lazyRouteComponent(() => import("../pages/tenant"), "Tenant"),
  }),
  createRoute({
    ...child("/adapters", "adapters:read"),
    validateSearch: texts("tenant", "tab", "q", "sort"),
    component: lazyRouteComponent(() => import("../pages/adapters"), "Adapters"),
  }),
  createRoute({
    ...child("/adapters/$name", "adapters:read"),
    validateSearch: texts("tenant", "tab", "q", "sort"),
    component: lazyRouteComponent(() => import("../pages/adapter"), "Adapter"),
  }),
  createRoute({
    ...child("/playground", "chat"),
    validateSearch: texts("models", "system", "temperature", "top_p", "max_tokens", "seed", "stop"),
    component: lazyRouteComponent(() => import("../pages/playground"), "Playground"),
  }),
  createRoute({
    ...child("/keys", "keys:write"),
    validateSearch: texts("q", "sort", "show"),
    component: lazyRouteComponent(() => import("../pages/keys"), "Keys"),
  }),
  createRoute({
    ...child("/usage", "usage:read"),
    validateSearch: texts("range", "from", "until", "width", "by", "measure", "tenant", "model", "sort"),
    component: lazyRouteComponent(() => import("../pages/usage"), "Usage"),
  }),
  createRoute({
    ...child("/audit", "audit:read"),
    validateSearch: texts("tenant", "type", "from", "until", "event"),
    component: lazyRouteComponent(() => import("../pages/audit"), "Audit"),
  }),
] as const;

export const router = createRouter({
  routeTree: root.addChildren([signIn, shell.addChildren(pages)]),
  basepath: "/dashboard",
  defaultPreload: "intent",
  defaultErrorComponent: RouteError,
  defaultPendingComponent: Loading,
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

// Some refusals say 401 to a session that still holds, such as a tenant's at an operator's route: so it is asked for.
whenSignedOut(async () => {
  if (!(await holds(queryClient))) await leave(router, "expired");
});
