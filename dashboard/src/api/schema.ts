// Made by `npm run types` from openapi.json. Do not edit.

export interface paths {
    "/": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What this is and where to go. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description What this is and where to go. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who changed what, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this tenant only. */
                    tenant?: string;
                    /** @description Of this type only, such as `key.revoke`. */
                    type?: string;
                    /** @description Not before this, in Unix seconds. */
                    since?: number;
                    /** @description Before this, in Unix seconds. */
                    until?: number;
                    /** @description Continue after this id: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_AuditEvent"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The server's defaults: what a tenant may use at most that has no limits of its own. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DefaultLimits"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What happens on this server: an event `history` with the last hour, then an event `now` every second. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["Now"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/servers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The vLLM servers that this gateway asks; none when the engine is in this process. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_EngineServer"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Gives a vLLM server no more requests of this gateway, or some again. What it answers goes on. */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["EngineServerUpdate"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["EngineServer"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/admin/v1/tenants": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tenants, by slug unless another order is asked for. */
        get: {
            parameters: {
                query?: {
                    /** @description Continue after this tenant: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                    /** @description Only those whose slug or name holds this text, whatever its case. */
                    q?: string;
                    /** @description By slug or by age; `-` turns it round. */
                    order?: components["schemas"]["TenantsOrder"];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Tenant"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a tenant. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewTenant"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/tenants/{slug}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One tenant. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Ends a tenant: its keys, its adapters and their bytes. Usage and audit rows stay, and nobody gets its slug again. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletedTenant"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Renames, suspends or limits a tenant. Every server knows within a second. */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TenantUpdate"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Tenant"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/admin/v1/tenants/{slug}/adapters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A tenant's adapters, for the operator. */
        get: {
            parameters: {
                query?: {
                    /** @description Continue after this adapter: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                    /** @description Only those whose name holds this text, whatever its case. */
                    q?: string;
                    /** @description By name or by age; `-` turns it round. */
                    order?: components["schemas"]["AdaptersOrder"];
                };
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Adapter"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/tenants/{slug}/adapters/{name}/aliases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the aliases of a tenant's adapter name now, for the operator. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                    /** @description The adapter's name. */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Alias"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/tenants/{slug}/adapters/{name}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The versions of a tenant's adapter, newest first, for the operator. */
        get: {
            parameters: {
                query?: {
                    /** @description Continue after this id: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                };
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                    /** @description The adapter's name. */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_AdapterVersion"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/tenants/{slug}/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A tenant's keys, without their secrets. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Key"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a key; the answer is the only place where its secret is shown. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewKey"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CreatedKey"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/tenants/{slug}/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revokes a key, everywhere within a second; answers that are being generated for it end too. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                    /** @description The key's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletedKey"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/tenants/{slug}/keys/{id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Replaces a key by a new one that may do the same; the old one may go on working for a while. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The tenant. */
                    slug: string;
                    /** @description The key's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Rotation"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CreatedKey"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/admin/v1/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What all tenants used, or some of them. */
        get: {
            parameters: {
                query: {
                    /** @description The first second, in Unix seconds; the answer begins with the bucket that it lies in. */
                    start_time: number;
                    /** @description The second after the last, in Unix seconds; left out: now. */
                    end_time?: number;
                    /**
                     * @description How long a bucket is, on the edges of UTC's minutes, hours or days; left out: `1d`. Minutes are kept for 90 days, unless
                     *     the operator says otherwise, hours and days for ever.
                     */
                    bucket_width?: "1m" | "1h" | "1d";
                    /** @description What to tell apart. `project_id`, the tenant, is for the operator. */
                    group_by?: ("api_key_id" | "model" | "project_id")[];
                    /** @description Only requests with these API keys. */
                    api_key_ids?: string[];
                    /** @description Only requests that these answered: the base model's id, `name` (all its versions) or `name@7`. */
                    models?: string[];
                    /** @description Only requests of these tenants, by slug; for the operator. */
                    project_ids?: string[];
                    /**
                     * @description Tell only so many groups apart on a page, those with the most tokens, from 1 to 100; what the others used is one more
                     *     result of each bucket.
                     */
                    top?: number;
                    /** @description How many buckets: `1d` 7 (at most 31), `1h` 24 (168), `1m` 60 (1440). */
                    limit?: number;
                    /** @description Continue here: the `next_page` of an earlier answer. */
                    page?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UsagePage"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/dashboard": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The page, and whatever address within it: it finds its way by itself. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The dashboard. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/html": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/dashboard/{path}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A file of the page, or the page. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description A file of the page, or an address within it. */
                    path: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The file, or the dashboard. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/html": unknown;
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The page. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description This document, for people. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/html": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/script.js": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The page's work. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The script of /docs. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/javascript": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/docs/style.css": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The page's looks. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The looks of /docs. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/css": unknown;
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/healthz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process lives. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Health"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/openapi.json": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** This document. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description This document. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The process can serve, and what is degraded: without its cache it serves, more slowly; without its database only what
         *     it knows, for as long as `TENORA_OUTAGE_GRACE_S` says.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Readiness"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who is signed in. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Session"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Signs in. Requests with the cookie that is set are those of the key; those that may change something also need the
         *     session's `csrf` in `x-csrf-token`.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewSession"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Session"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        /** Signs out. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The cookie is taken away. */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/adapters": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The caller's adapters, by name unless another order is asked for. */
        get: {
            parameters: {
                query?: {
                    /** @description Continue after this adapter: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                    /** @description Only those whose name holds this text, whatever its case. */
                    q?: string;
                    /** @description By name or by age; `-` turns it round. */
                    order?: components["schemas"]["AdaptersOrder"];
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Adapter"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Uploads an adapter: a new name begins at version 1, a known one gets its next. Answers when it is routable, or with
         *     `wait=false` as soon as its bytes are here.
         */
        post: {
            parameters: {
                query?: {
                    /** @description Whether to answer when the version is ready or refused (true), or at once with the push to follow (false). */
                    wait?: boolean;
                    /** @description Whether the alias `latest`, which the plain name means, moves to the version. */
                    latest?: boolean;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AdapterFromUpload"];
                    "multipart/form-data": components["schemas"]["AdapterUpload"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AdapterVersion"];
                    };
                };
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Push"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/adapters/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One adapter with its versions. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Adapter"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes an adapter with all its versions. A later upload under the same name goes on counting. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletedAdapter"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/adapters/{name}/aliases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the adapter's aliases name now. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Alias"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/adapters/{name}/aliases/{alias}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One alias with its history. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                    /** @description The alias. */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AliasDetail"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        /** Makes an alias or moves it: to one version, or shared by several. Running answers keep the version that they began with. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                    /** @description The alias: `^[a-z][a-z0-9._-]{0,31}$`. */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AliasUpdate"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Alias"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        post?: never;
        /** Removes an alias; `latest` stays. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                    /** @description The alias. */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletedAlias"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/adapters/{name}/aliases/{alias}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Moves an alias back: to what it named before its last move, or at a revision of its history. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                    /** @description The alias. */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AliasRollback"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Alias"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/adapters/{name}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The adapter's versions, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description Continue after this id: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                };
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_AdapterVersion"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/adapters/{name}/versions/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One version with its report. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                    /** @description The version's number. */
                    version: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AdapterVersion"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Deletes a version that no alias names. Its number is never given again. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                    /** @description The version's number. */
                    version: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletedVersion"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Takes a version out of service, whatever names it, or puts it back. Answers that are being generated go on. */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The adapter's name. */
                    name: string;
                    /** @description The version's number. */
                    version: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["VersionUpdate"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AdapterVersion"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/v1/chat/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Continues a conversation with the base model or one of the caller's adapters; with `stream`, as server-sent events
         *     of `chat.completion.chunk` and a last `[DONE]`.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "model": "ticket-triage",
                     *       "messages": [
                     *         {
                     *           "role": "user",
                     *           "content": "I was charged twice for my order."
                     *         }
                     *       ],
                     *       "temperature": 0,
                     *       "max_tokens": 80
                     *     }
                     */
                    "application/json": components["schemas"]["ChatRequest"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ChatCompletion"];
                        "text/event-stream": components["schemas"]["StreamEvent"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/completions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Continues a text with the base model or one of the caller's adapters; with `stream`, as server-sent events of
         *     `text_completion` and a last `[DONE]`.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    /**
                     * @example {
                     *       "model": "ticket-triage",
                     *       "prompt": "I was charged twice for my order.",
                     *       "temperature": 0,
                     *       "max_tokens": 80
                     *     }
                     */
                    "application/json": components["schemas"]["CompletionRequest"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Completion"];
                        "text/event-stream": components["schemas"]["StreamEvent"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tenant's keys, without their secrets. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Key"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        /** Makes a key that may do no more than the one that asks; the answer is the only place where its secret is shown. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewKey"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CreatedKey"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revokes a key of the tenant, everywhere within a second; answers that are being generated for it end too. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The key's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeletedKey"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/keys/{id}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Replaces a key by a new one that may do the same; the old one may go on working for a while. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The key's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["Rotation"];
                };
            };
            responses: {
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["CreatedKey"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/limits": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the tenant, and the presented key, may use at most, and what is left of it now. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LimitsOfCaller"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What happens with the caller's own requests and adapters: an event `history` with the last hour, then an event `now`
         *     every second.
         */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["Now"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/me": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whom the presented credential speaks for, and what it may do. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Me"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the caller can send as `model`. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Model"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/models/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One model: the base, an adapter, or one version of it. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The base model's id, `name`, `name@7` or `name@prod`. */
                    model: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Model"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pushes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tenant's pushes, newest first; they are kept for a month. */
        get: {
            parameters: {
                query?: {
                    /** @description Continue after this id: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Push"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pushes/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One push. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The push's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Push"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/pushes/{id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One push as server-sent events: what it is now, and what it becomes. The stream ends with the push. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The push's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["StreamEvent"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/uploads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tenant's uploads, newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description `pending`, `completed`, `cancelled` or `expired`; all when left out. */
                    status?: string;
                    /** @description Continue after this id: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_Upload"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        /** Begins an upload: its bytes are reserved until it is used, cancelled or expired. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["NewUpload"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Upload"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/uploads/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One upload. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The upload's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Upload"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/uploads/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Gives up an upload, pending or completed: its bytes go, and what it had reserved is free. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The upload's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Upload"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/uploads/{id}/complete": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Completes an upload: the named parts, in their order, are its bytes. The same again is the same answer. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The upload's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["UploadCompletion"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["Upload"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/uploads/{id}/parts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The parts that have arrived: what a broken upload need not send again. */
        get: {
            parameters: {
                query?: {
                    /** @description Continue after this id: the last page's `last_id`. */
                    after?: string;
                    /** @description How many, from 1 to 100; 20 when left out. */
                    limit?: number;
                };
                header?: never;
                path: {
                    /** @description The upload's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["List_UploadPart"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        /** Adds a part to a pending upload. Parts may be sent at the same time and in any order. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The upload's id. */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "multipart/form-data": components["schemas"]["PartUpload"];
                };
            };
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UploadPart"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v1/usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the caller's tenant used. */
        get: {
            parameters: {
                query: {
                    /** @description The first second, in Unix seconds; the answer begins with the bucket that it lies in. */
                    start_time: number;
                    /** @description The second after the last, in Unix seconds; left out: now. */
                    end_time?: number;
                    /**
                     * @description How long a bucket is, on the edges of UTC's minutes, hours or days; left out: `1d`. Minutes are kept for 90 days, unless
                     *     the operator says otherwise, hours and days for ever.
                     */
                    bucket_width?: "1m" | "1h" | "1d";
                    /** @description What to tell apart. `project_id`, the tenant, is for the operator. */
                    group_by?: ("api_key_id" | "model" | "project_id")[];
                    /** @description Only requests with these API keys. */
                    api_key_ids?: string[];
                    /** @description Only requests that these answered: the base model's id, `name` (all its versions) or `name@7`. */
                    models?: string[];
                    /** @description Only requests of these tenants, by slug; for the operator. */
                    project_ids?: string[];
                    /**
                     * @description Tell only so many groups apart on a page, those with the most tokens, from 1 to 100; what the others used is one more
                     *     result of each bucket.
                     */
                    top?: number;
                    /** @description How many buckets: `1d` 7 (at most 31), `1h` 24 (168), `1m` 60 (1440). */
                    limit?: number;
                    /** @description Continue here: the `next_page` of an earlier answer. */
                    page?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["UsagePage"];
                    };
                };
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
                "5XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ErrorEnvelope"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description An adapter: a name, and the versions uploaded under it. */
        Adapter: {
            /** @description What its aliases name now. */
            aliases: components["schemas"]["Alias"][];
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created_at: number;
            /** @description Its name: what to send as `model` for the latest version. */
            id: string;
            /**
             * Format: int32
             * @description The version that the plain name answers with: what the alias `latest` names.
             */
            latest: number;
            /** @description Its name. */
            name: string;
            /** @description Always `adapter`. */
            object: string;
            /** @description Its versions, newest first; of a long history the 100 newest. */
            versions: components["schemas"]["AdapterVersion"][];
        };
        /** @description An adapter whose weights were sent as a resumable upload. */
        AdapterFromUpload: {
            /** @description What PEFT's `adapter_config.json` holds; kept as it is sent. */
            config: Record<string, never>;
            /** @description The adapter's name: `^[a-z0-9][a-z0-9._-]{0,63}$`. */
            name: string;
            /** @description The completed upload of PEFT's `adapter_model.safetensors`, or its file. */
            weights_upload_id: string;
        };
        /** @description The parts of an upload, in any order. */
        AdapterUpload: {
            /**
             * Format: binary
             * @description PEFT's `adapter_config.json`.
             */
            "adapter_config.json": string;
            /**
             * Format: binary
             * @description PEFT's `adapter_model.safetensors`.
             */
            "adapter_model.safetensors": string;
            /** @description The adapter's name: `^[a-z0-9][a-z0-9._-]{0,63}$`. */
            name: string;
        };
        /** @description One immutable version of an adapter. */
        AdapterVersion: {
            /**
             * Format: int64
             * @description Size of its files.
             */
            bytes: number;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created_at: number;
            /** @description SHA-256 over the canonical config and the weights. */
            digest: string;
            /** @description Why it is disabled, in its owner's words. */
            disabled_reason: string | null;
            /** @description What to send as `model` for exactly this version, such as `ticket-triage@1`. */
            model: string;
            /** @description The adapter. */
            name: string;
            /** @description Always `adapter.version`. */
            object: string;
            /** @description What the checks found: rank, modules, tensors, … */
            report: Record<string, never>;
            /** @description Whether it answers: it is ready, and was made for the base model that is resident now. */
            routable: boolean;
            /** @description `ready`, or `disabled` by its owner. */
            status: string;
            /**
             * Format: int32
             * @description Its number: 1, 2, …, never reused.
             */
            version: number;
        };
        /** @description Adapters in memory. */
        AdaptersNow: {
            /** @description Bytes they take; null for a tenant. */
            bytes: number | null;
            /** @description Bytes they may take. */
            limit_bytes: number;
            /** @description On their way. */
            loading: number;
            /** @description The last wanted first; of a tenant its own. */
            resident: components["schemas"]["ResidentAdapter"][];
            /** @description Waiting for their load to begin. */
            waiting: number;
        };
        /**
         * @description An order of adapters.
         * @enum {string}
         */
        AdaptersOrder: "name" | "-name" | "created_at" | "-created_at";
        /** @description What an alias names now: `name@alias` as `model` asks for it. */
        Alias: {
            /** @description The alias. */
            alias: string;
            /** @description What to send as `model`, such as `ticket-triage@prod`. */
            model: string;
            /**
             * Format: int64
             * @description When it was moved here; Unix seconds.
             */
            moved_at: number;
            /** @description The adapter. */
            name: string;
            /** @description Always `adapter.alias`. */
            object: string;
            /**
             * Format: int64
             * @description Counts its moves: send it back as `expected_revision`, and nobody's move is overwritten unseen.
             */
            revision: number;
            /** @description The versions that share its requests. */
            targets: components["schemas"]["Share"][];
        };
        /** @description An alias with what it named before. */
        AliasDetail: components["schemas"]["Alias"] & {
            /** @description Its moves, newest first, at most 100. */
            history: components["schemas"]["AliasMove"][];
        };
        /** @description What an alias named from one move to the next. */
        AliasMove: {
            /**
             * Format: int64
             * @description When the next move came; null = this is what it names now.
             */
            ended_at: number | null;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            moved_at: number;
            /**
             * Format: int64
             * @description Which move, from 1.
             */
            revision: number;
            /** @description The versions that shared its requests. */
            targets: components["schemas"]["Share"][];
        };
        /** @description Where an alias goes back to. */
        AliasRollback: {
            /**
             * Format: int64
             * @description The revision that the alias must be at.
             */
            expected_revision?: number | null;
            /**
             * Format: int64
             * @description What it named at this revision; left out: before its last move.
             */
            to_revision?: number | null;
        };
        /** @description Where an alias is to point: one version, or several with weights. */
        AliasUpdate: {
            /**
             * Format: int64
             * @description The revision that the alias must be at, 0 = it must not exist yet; left out: move it wherever it is.
             */
            expected_revision?: number | null;
            /** @description Or shared by these; put the newcomer last, so that callers who are on it stay on it while its share grows. */
            targets?: components["schemas"]["Share"][] | null;
            /**
             * Format: int32
             * @description All requests to this version.
             */
            version?: number | null;
        };
        /** @description What was said. */
        AssistantMessage: {
            /** @description The text. */
            content: string;
            /** @description Always null. */
            refusal: string | null;
            /** @description Always `assistant`. */
            role: string;
        };
        /** @description Who did something, and from where. */
        AuditActor: {
            /** @description The client's address. */
            ip_address: string | null;
            /** @description The key's id, if it was one. */
            key_id: string | null;
            /** @description The token's issuer and subject, if it was one. */
            subject: string | null;
            /** @description `admin`, `key`, `token` or `system`. */
            type: string;
        };
        /** @description One change. */
        AuditEvent: {
            /** @description Who did it. */
            actor: components["schemas"]["AuditActor"];
            /** @description `before` and `after` of a change, or what else is worth knowing. */
            detail: Record<string, never>;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            effective_at: number;
            /** @description Sorts by time. */
            id: string;
            /** @description Always `audit_event`. */
            object: string;
            /** @description The thing's name within the tenant. */
            subject: string;
            /** @description Whose things were changed: the tenant's slug. */
            tenant: string;
            /** @description Such as `key.revoke`. */
            type: string;
        };
        /** @description Means over steps. */
        BatchNow: {
            /**
             * Format: double
             * @description Different adapters in it; the base alone counts as one.
             */
            adapters: number;
            /**
             * Format: double
             * @description Rows of a step.
             */
            rows: number;
        };
        /** @description A whole number, or `"unlimited"`. */
        CapSchema: number | string;
        /** @description One answer. */
        ChatChoice: {
            /** @description `stop` or `length`. */
            finish_reason: string;
            /**
             * Format: int32
             * @description Which of the `n`.
             */
            index: number;
            logprobs: components["schemas"]["ChatLogprobs"] | null;
            /** @description What was said. */
            message: components["schemas"]["AssistantMessage"];
        };
        /** @description The whole answer. */
        ChatCompletion: {
            /** @description The answers. */
            choices: components["schemas"]["ChatChoice"][];
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created: number;
            /** @description `chatcmpl-…`. */
            id: string;
            /** @description What answered: `name@7`, or the base model. */
            model: string;
            /** @description Always `chat.completion`. */
            object: string;
            /** @description Names the base model's weights. */
            system_fingerprint: string;
            /** @description What it cost. */
            usage: components["schemas"]["Usage"];
        };
        /** @description One token's log probability, and its rivals'. */
        ChatLogprob: {
            /** @description The token's bytes: a piece of a character is not text yet. */
            bytes: number[];
            /**
             * Format: float
             * @description Natural logarithm of its probability.
             */
            logprob: number;
            /** @description The token's text. */
            token: string;
            /** @description The likeliest tokens, best first. */
            top_logprobs: components["schemas"]["TopLogprob"][];
        };
        /** @description Log probabilities of an answer's tokens. */
        ChatLogprobs: {
            /** @description Token by token. */
            content: components["schemas"]["ChatLogprob"][];
        };
        /** @description A conversation to continue. */
        ChatRequest: {
            /** @description Not supported. */
            audio?: unknown;
            /**
             * Format: float
             * @description Subtracted for every time a token was generated; from -2 to 2.
             */
            frequency_penalty?: number | null;
            /** @description Not supported. */
            function_call?: unknown;
            /** @description Not supported. */
            functions?: unknown;
            /** @description Go on after an end-of-sequence token. */
            ignore_eos?: boolean | null;
            /** @description Added to the logits of these token ids; from -100 to 100 each. */
            logit_bias?: {
                [key: string]: number;
            } | null;
            /** @description Whether to tell each token's log probability. */
            logprobs?: boolean | null;
            /**
             * Format: int32
             * @description The newer name of `max_tokens`.
             */
            max_completion_tokens?: number | null;
            /**
             * Format: int32
             * @description Tokens to generate at most; left out: what the context has left.
             */
            max_tokens?: number | null;
            /** @description The conversation so far. */
            messages: components["schemas"]["Message"][];
            /** @description Accepted and not used. */
            metadata?: unknown;
            /**
             * Format: float
             * @description Keep tokens with at least this share of the likeliest one's probability.
             */
            min_p?: number | null;
            /** @description `["text"]` only. */
            modalities?: string[] | null;
            /**
             * @description The base model's id, an adapter's name (its latest version), `name@7` (exactly that version), or `name@prod`
             *     (what that alias names).
             */
            model: string;
            /**
             * Format: int32
             * @description Answers to the same prompt; at most 8.
             * @default 1
             */
            n: number | null;
            /** @description Harmless without tools. */
            parallel_tool_calls?: unknown;
            /**
             * Format: float
             * @description Subtracted from the logit of every token already generated; from -2 to 2.
             */
            presence_penalty?: number | null;
            /** @description Decides in place of `user` where neither is given. Prompts are cached by their tokens without it. */
            prompt_cache_key?: string | null;
            /**
             * Format: float
             * @description Divides the logits of tokens in prompt and answer; 1 is off.
             */
            repetition_penalty?: number | null;
            response_format?: components["schemas"]["ResponseFormatField"] | null;
            /** @description The same as `user`, in OpenAI's newer words; it wins over `user`. */
            safety_identifier?: string | null;
            /**
             * Format: int64
             * @description The same seed and request give the same answer.
             */
            seed?: number | null;
            /** @description Accepted and not used. */
            service_tier?: unknown;
            stop?: components["schemas"]["OneOrMany"] | null;
            /** @description Accepted and not used: nothing is stored. */
            store?: unknown;
            /** @description Whether to send the answer as server-sent events while it is generated. */
            stream?: boolean | null;
            stream_options?: components["schemas"]["StreamOptions"] | null;
            /**
             * Format: float
             * @description 0 is greedy; from 0 to 2, 1 when left out.
             * @default 1
             */
            temperature: number | null;
            /** @description Not supported; `none` and `auto` are harmless. */
            tool_choice?: unknown;
            /** @description Not supported. */
            tools?: unknown;
            /**
             * Format: int64
             * @description Keep the k likeliest tokens; 0 or -1 keeps all.
             */
            top_k?: number | null;
            /**
             * Format: int32
             * @description Also of this many likeliest tokens; at most 20.
             */
            top_logprobs?: number | null;
            /**
             * Format: float
             * @description Keep the smallest set of tokens with this much probability.
             */
            top_p?: number | null;
            /**
             * @description Your user: where versions share an alias, a user's requests get one of them as long as it keeps its share.
             *     The key, not this, says whose request it is.
             */
            user?: string | null;
        };
        /** @description The parts that a request needs. */
        Checks: {
            /** @description Where the adapters' bytes are; without them what is on local disk or in memory is served. */
            blobs: components["schemas"]["State"];
            /** @description Where the rows are. */
            database: components["schemas"]["State"];
            /** @description How limits are enforced: `ok`, or `degraded` to a share of each by this server alone while Redis is away. */
            limits: components["schemas"]["State"];
            /** @description Whether usage rows reach the database; `degraded` = they wait in files, `unreachable` = no more may wait. */
            metering: components["schemas"]["State"];
            /** @description The base model. */
            model: components["schemas"]["State"];
            /** @description Where resolutions are cached; `unused` when they are cached in the process. */
            redis: components["schemas"]["State"];
            /** @description Whether traces and metrics reach the collector; `unused` when there is none. */
            telemetry: components["schemas"]["State"];
        };
        /** @description An answer, or one event of a stream. */
        Completion: {
            /** @description The answers, or what is new of one. */
            choices: components["schemas"]["CompletionChoice"][];
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created: number;
            /** @description `cmpl-…`. */
            id: string;
            /** @description What answered: `name@7`, or the base model. */
            model: string;
            /** @description Always `text_completion`. */
            object: string;
            /** @description Names the base model's weights. */
            system_fingerprint: string;
            usage?: components["schemas"]["Usage"] | null;
        };
        /** @description One answer, or what is new of it. */
        CompletionChoice: {
            /** @description `stop` or `length` at the end. */
            finish_reason: string | null;
            /**
             * Format: int32
             * @description Which of the `n`.
             */
            index: number;
            logprobs: components["schemas"]["CompletionLogprobs"] | null;
            /** @description The text. */
            text: string;
        };
        /** @description Log probabilities, one entry a token in each list. */
        CompletionLogprobs: {
            /** @description Where each token begins in this text, in characters. */
            text_offset: number[];
            /** @description Natural logarithms of their probabilities. */
            token_logprobs: number[];
            /** @description The tokens' texts. */
            tokens: string[];
            /** @description The likeliest tokens at each place. */
            top_logprobs: Record<string, never>[];
        };
        /** @description A text to continue. */
        CompletionRequest: {
            /**
             * Format: int32
             * @description 1 only.
             */
            best_of?: number | null;
            /** @description Not supported. */
            echo?: unknown;
            /**
             * Format: float
             * @description Subtracted for every time a token was generated; from -2 to 2.
             */
            frequency_penalty?: number | null;
            /** @description Go on after an end-of-sequence token. */
            ignore_eos?: boolean | null;
            /** @description Added to the logits of these token ids; from -100 to 100 each. */
            logit_bias?: {
                [key: string]: number;
            } | null;
            /**
             * Format: int32
             * @description Log probabilities of this many likeliest tokens; at most 20.
             */
            logprobs?: number | null;
            /**
             * Format: int32
             * @description Tokens to generate at most; left out: what the context has left.
             */
            max_tokens?: number | null;
            /** @description Accepted and not used. */
            metadata?: unknown;
            /**
             * Format: float
             * @description Keep tokens with at least this share of the likeliest one's probability.
             */
            min_p?: number | null;
            /**
             * @description The base model's id, an adapter's name (its latest version), `name@7` (exactly that version), or `name@prod`
             *     (what that alias names).
             */
            model: string;
            /**
             * Format: int32
             * @description Answers to the same prompt; at most 8.
             * @default 1
             */
            n: number | null;
            /**
             * Format: float
             * @description Subtracted from the logit of every token already generated; from -2 to 2.
             */
            presence_penalty?: number | null;
            /** @description A string, a list of one string, or a list of token ids. */
            prompt: components["schemas"]["PromptField"];
            /** @description Decides in place of `user` where neither is given. Prompts are cached by their tokens without it. */
            prompt_cache_key?: string | null;
            /**
             * Format: float
             * @description Divides the logits of tokens in prompt and answer; 1 is off.
             */
            repetition_penalty?: number | null;
            response_format?: components["schemas"]["ResponseFormatField"] | null;
            /** @description The same as `user`, in OpenAI's newer words; it wins over `user`. */
            safety_identifier?: string | null;
            /**
             * Format: int64
             * @description The same seed and request give the same answer.
             */
            seed?: number | null;
            /** @description Accepted and not used. */
            service_tier?: unknown;
            stop?: components["schemas"]["OneOrMany"] | null;
            /** @description Accepted and not used: nothing is stored. */
            store?: unknown;
            /** @description Whether to send the answer as server-sent events while it is generated. */
            stream?: boolean | null;
            stream_options?: components["schemas"]["StreamOptions"] | null;
            /** @description Not supported. */
            suffix?: unknown;
            /**
             * Format: float
             * @description 0 is greedy; from 0 to 2, 1 when left out.
             * @default 1
             */
            temperature: number | null;
            /**
             * Format: int64
             * @description Keep the k likeliest tokens; 0 or -1 keeps all.
             */
            top_k?: number | null;
            /**
             * Format: float
             * @description Keep the smallest set of tokens with this much probability.
             */
            top_p?: number | null;
            /**
             * @description Your user: where versions share an alias, a user's requests get one of them as long as it keeps its share.
             *     The key, not this, says whose request it is.
             */
            user?: string | null;
        };
        /** @description A turn's text, whole or in parts. */
        Content: string | components["schemas"]["Part"][];
        /** @description A key just made: the only time that its secret is shown. */
        CreatedKey: components["schemas"]["Key"] & {
            /** @description The key itself. Keep it: it cannot be shown again. */
            key: string;
        };
        /** @description `/admin/v1/limits`: what a tenant may use at most that has no limits of its own. */
        DefaultLimits: {
            /** @description The server's defaults. */
            limits: components["schemas"]["Limits"];
            /** @description Always `limits`. */
            object: string;
        };
        /** @description The answer to a deletion. */
        DeletedAdapter: {
            /** @description Always true. */
            deleted: boolean;
            /** @description The adapter's name. */
            id: string;
            /** @description Always `adapter`. */
            object: string;
        };
        /** @description The answer to the deletion of an alias. */
        DeletedAlias: {
            /** @description Always true. */
            deleted: boolean;
            /** @description What it was asked for by: `name@alias`. */
            id: string;
            /** @description Always `adapter.alias`. */
            object: string;
        };
        /** @description The answer to a revocation. */
        DeletedKey: {
            /** @description Always true. */
            deleted: boolean;
            /** @description The key's id. */
            id: string;
            /** @description Always `api_key`. */
            object: string;
        };
        /** @description The answer to a deletion. */
        DeletedTenant: {
            /** @description Always true. */
            deleted: boolean;
            /** @description The tenant's slug. */
            id: string;
            /** @description Always `tenant`. */
            object: string;
        };
        /** @description The answer to the deletion of a version. */
        DeletedVersion: {
            /** @description Always true. */
            deleted: boolean;
            /** @description What it was asked for by: `name@7`. */
            id: string;
            /** @description Always `adapter.version`. */
            object: string;
        };
        /** @description A vLLM server, as this gateway sees it. */
        EngineServer: {
            /**
             * Format: int64
             * @description Adapters that this gateway knows to be there.
             */
            adapters: number;
            /**
             * Format: int64
             * @description Requests of this gateway that it answers.
             */
            in_flight: number;
            /**
             * Format: double
             * @description Part of its KV blocks that are in use, from 0 to 1.
             */
            kv_used: number;
            /** @description Always `server`. */
            object: string;
            /**
             * Format: int64
             * @description Requests that it runs, of everybody.
             */
            running: number;
            /** @description How it is. */
            state: components["schemas"]["EngineServerState"];
            /** @description Its address. */
            url: string;
            /**
             * Format: int64
             * @description Requests that wait there, of everybody.
             */
            waiting: number;
        };
        /**
         * @description How a vLLM server is.
         * @enum {string}
         */
        EngineServerState: "ok" | "draining" | "unreachable" | "failing" | "other_model";
        /** @description What to change of a vLLM server. */
        EngineServerUpdate: {
            /** @description Whether it gets no more requests from this gateway. Until the gateway is started again. */
            draining: boolean;
            /** @description Its address, as the list has it. */
            url: string;
        };
        /** @description The failure. */
        ErrorBody: {
            /** @description Stable, for programs. */
            code: string;
            /** @description What was wrong, where, and what would fix it; for people. */
            message: string;
            /** @description The field at fault. */
            param: string | null;
            /** @description The push that made no version; its report is at `/v1/pushes/{id}`. */
            push?: string | null;
            /** @description `invalid_request_error` or `server_error`. */
            type: string;
        };
        /** @description What every failure looks like. */
        ErrorEnvelope: {
            /** @description The failure. */
            error: components["schemas"]["ErrorBody"];
        };
        /** @description How long something is kept. */
        ExpiresAfter: {
            /** @description Counted from when: `created_at`. */
            anchor: string;
            /**
             * Format: int64
             * @description From 3600, an hour, to 2592000, 30 days.
             */
            seconds: number;
        };
        /** @description What a completed upload became. */
        File: {
            /**
             * Format: int64
             * @description Its size.
             */
            bytes: number;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created_at: number;
            /**
             * Format: int64
             * @description Unix seconds after which it is gone.
             */
            expires_at: number;
            /** @description What it is called. */
            filename: string;
            /** @description Its id, `file-…`: another name of its upload. */
            id: string;
            /** @description Always `file`. */
            object: string;
            /** @description What it is for. */
            purpose: string;
            /** @description Always `processed`. */
            status: string;
        };
        /** @description The process lives. */
        Health: {
            /** @description Always `ok`. */
            status: components["schemas"]["State"];
        };
        /** @description The last hour, the first event. */
        History: {
            /** @description The oldest first. */
            points: components["schemas"]["Point"][];
        };
        /** @description A named JSON Schema. */
        JsonSchemaField: {
            /** @description Accepted and not used. */
            description?: string | null;
            /** @description What the client calls it: letters, digits, `_` and `-`, at most 64. */
            name: string;
            /** @description The schema: at most 64 KiB, 64 levels deep. A keyword that cannot be honoured is refused by its name. */
            schema: Record<string, never>;
            /** @description Accepted; every schema is followed strictly. */
            strict?: boolean | null;
        };
        /** @description An API key, without its secret. */
        Key: {
            /** @description The adapters that it may use; null is all of its tenant's. */
            adapters: string[] | null;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created_at: number;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            expires_at: number | null;
            /** @description Its id: what revoking takes. */
            id: string;
            /**
             * Format: int64
             * @description Unix seconds; null while it was not used. Up to half a minute late.
             */
            last_used_at: number | null;
            /** @description What it may use at most, beside its tenant's limits. */
            limits: components["schemas"]["LimitOverridesSchema"];
            /** @description What it is for. */
            name: string;
            /** @description Always `api_key`. */
            object: string;
            /**
             * Format: int64
             * @description Unix seconds; null while it works.
             */
            revoked_at: number | null;
            /** @description What it may do. */
            scopes: string[];
        };
        /** @description The KV pool. */
        KvNow: {
            /** @description Tokens of a block. */
            block_tokens: number;
            /** @description Blocks. */
            blocks: number;
            /** @description Those in use; null for a tenant. */
            used: number | null;
        };
        /** @description What is left of one limit. */
        Left: {
            /**
             * Format: int64
             * @description This much.
             */
            remaining: number;
            /**
             * Format: double
             * @description Seconds until all of it is left again, if nothing more is used.
             */
            reset_s: number;
        };
        /** @description Limits that differ from the defaults, for the API document: each a whole number or `"unlimited"`. */
        LimitOverridesSchema: {
            adapter_bytes?: components["schemas"]["CapSchema"] | null;
            adapter_rank?: components["schemas"]["CapSchema"] | null;
            adapters?: components["schemas"]["CapSchema"] | null;
            concurrent_requests?: components["schemas"]["CapSchema"] | null;
            monthly_tokens?: components["schemas"]["CapSchema"] | null;
            requests_per_minute?: components["schemas"]["CapSchema"] | null;
            tokens_per_minute?: components["schemas"]["CapSchema"] | null;
        };
        /** @description What a tenant or a key may use at most; null is no limit. */
        Limits: {
            /**
             * Format: int64
             * @description Bytes of all live versions.
             */
            adapter_bytes: number | null;
            /**
             * Format: int64
             * @description Largest rank of an adapter.
             */
            adapter_rank: number | null;
            /**
             * Format: int64
             * @description Live adapters.
             */
            adapters: number | null;
            /**
             * Format: int64
             * @description Generations at the same time.
             */
            concurrent_requests: number | null;
            /**
             * Format: int64
             * @description Prompt and output tokens in a calendar month, UTC.
             */
            monthly_tokens: number | null;
            /**
             * Format: int64
             * @description Generations in any minute.
             */
            requests_per_minute: number | null;
            /**
             * Format: int64
             * @description Prompt and output tokens in any minute.
             */
            tokens_per_minute: number | null;
        };
        /** @description `/v1/limits`: what the caller may use at most, and what is left of it now. */
        LimitsOfCaller: {
            key: components["schemas"]["Limits"] | null;
            key_left: components["schemas"]["Remaining"] | null;
            /** @description Always `limits`. */
            object: string;
            /** @description Of all the tenant's credentials together. */
            tenant: components["schemas"]["Limits"];
            /** @description What is left of these. */
            tenant_left: components["schemas"]["Remaining"];
        };
        /** @description One page of things. */
        List_Adapter: {
            /** @description The things. */
            data: {
                /** @description What its aliases name now. */
                aliases: components["schemas"]["Alias"][];
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                created_at: number;
                /** @description Its name: what to send as `model` for the latest version. */
                id: string;
                /**
                 * Format: int32
                 * @description The version that the plain name answers with: what the alias `latest` names.
                 */
                latest: number;
                /** @description Its name. */
                name: string;
                /** @description Always `adapter`. */
                object: string;
                /** @description Its versions, newest first; of a long history the 100 newest. */
                versions: components["schemas"]["AdapterVersion"][];
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_AdapterVersion: {
            /** @description The things. */
            data: {
                /**
                 * Format: int64
                 * @description Size of its files.
                 */
                bytes: number;
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                created_at: number;
                /** @description SHA-256 over the canonical config and the weights. */
                digest: string;
                /** @description Why it is disabled, in its owner's words. */
                disabled_reason: string | null;
                /** @description What to send as `model` for exactly this version, such as `ticket-triage@1`. */
                model: string;
                /** @description The adapter. */
                name: string;
                /** @description Always `adapter.version`. */
                object: string;
                /** @description What the checks found: rank, modules, tensors, … */
                report: Record<string, never>;
                /** @description Whether it answers: it is ready, and was made for the base model that is resident now. */
                routable: boolean;
                /** @description `ready`, or `disabled` by its owner. */
                status: string;
                /**
                 * Format: int32
                 * @description Its number: 1, 2, …, never reused.
                 */
                version: number;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_Alias: {
            /** @description The things. */
            data: {
                /** @description The alias. */
                alias: string;
                /** @description What to send as `model`, such as `ticket-triage@prod`. */
                model: string;
                /**
                 * Format: int64
                 * @description When it was moved here; Unix seconds.
                 */
                moved_at: number;
                /** @description The adapter. */
                name: string;
                /** @description Always `adapter.alias`. */
                object: string;
                /**
                 * Format: int64
                 * @description Counts its moves: send it back as `expected_revision`, and nobody's move is overwritten unseen.
                 */
                revision: number;
                /** @description The versions that share its requests. */
                targets: components["schemas"]["Share"][];
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_AuditEvent: {
            /** @description The things. */
            data: {
                /** @description Who did it. */
                actor: components["schemas"]["AuditActor"];
                /** @description `before` and `after` of a change, or what else is worth knowing. */
                detail: Record<string, never>;
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                effective_at: number;
                /** @description Sorts by time. */
                id: string;
                /** @description Always `audit_event`. */
                object: string;
                /** @description The thing's name within the tenant. */
                subject: string;
                /** @description Whose things were changed: the tenant's slug. */
                tenant: string;
                /** @description Such as `key.revoke`. */
                type: string;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_EngineServer: {
            /** @description The things. */
            data: {
                /**
                 * Format: int64
                 * @description Adapters that this gateway knows to be there.
                 */
                adapters: number;
                /**
                 * Format: int64
                 * @description Requests of this gateway that it answers.
                 */
                in_flight: number;
                /**
                 * Format: double
                 * @description Part of its KV blocks that are in use, from 0 to 1.
                 */
                kv_used: number;
                /** @description Always `server`. */
                object: string;
                /**
                 * Format: int64
                 * @description Requests that it runs, of everybody.
                 */
                running: number;
                /** @description How it is. */
                state: components["schemas"]["EngineServerState"];
                /** @description Its address. */
                url: string;
                /**
                 * Format: int64
                 * @description Requests that wait there, of everybody.
                 */
                waiting: number;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_Key: {
            /** @description The things. */
            data: {
                /** @description The adapters that it may use; null is all of its tenant's. */
                adapters: string[] | null;
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                created_at: number;
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                expires_at: number | null;
                /** @description Its id: what revoking takes. */
                id: string;
                /**
                 * Format: int64
                 * @description Unix seconds; null while it was not used. Up to half a minute late.
                 */
                last_used_at: number | null;
                /** @description What it may use at most, beside its tenant's limits. */
                limits: components["schemas"]["LimitOverridesSchema"];
                /** @description What it is for. */
                name: string;
                /** @description Always `api_key`. */
                object: string;
                /**
                 * Format: int64
                 * @description Unix seconds; null while it works.
                 */
                revoked_at: number | null;
                /** @description What it may do. */
                scopes: string[];
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_Model: {
            /** @description The things. */
            data: {
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                created: number;
                /** @description What to send as `model`. */
                id: string;
                /** @description Prompt and answer together, in tokens. */
                max_model_len: number;
                /** @description Always `model`. */
                object: string;
                /** @description The tenant's slug; `tenora` for the base model. */
                owned_by: string;
                /** @description The base model that an adapter was trained on; null for the base model. */
                parent: string | null;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_Push: {
            /** @description The things. */
            data: {
                /**
                 * Format: int64
                 * @description Size of its files.
                 */
                bytes: number;
                /**
                 * Format: int64
                 * @description When its bytes were here; Unix seconds.
                 */
                created_at: number;
                /** @description SHA-256 over the canonical config and the weights. */
                digest: string;
                error: components["schemas"]["PushError"] | null;
                /**
                 * Format: int64
                 * @description When it ended; Unix seconds.
                 */
                finished_at: number | null;
                /** @description Names it: `push_…`. */
                id: string;
                /** @description The version that it became, such as `ticket-triage@1`. */
                model: string | null;
                /** @description The adapter's name. */
                name: string;
                /** @description Always `adapter.push`. */
                object: string;
                /** @description What the checks found, as far as they came: rank, modules, norms, warnings, … */
                report: Record<string, never> | null;
                /** @description `validating`, then `ready`, `rejected` (the files are at fault) or `failed` (the server is; push again). */
                status: string;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_Tenant: {
            /** @description The things. */
            data: {
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                created_at: number;
                /** @description Its id. */
                id: string;
                /** @description What it may use at most, where that differs from the server's defaults. */
                limits: components["schemas"]["LimitOverridesSchema"];
                /** @description Its name for people. */
                name: string;
                /** @description Always `tenant`. */
                object: string;
                /** @description Its short name in paths. */
                slug: string;
                /** @description `active` or `suspended`. */
                status: string;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_Upload: {
            /** @description The things. */
            data: {
                /**
                 * Format: int64
                 * @description What all parts have together, as it was declared.
                 */
                bytes: number;
                /**
                 * Format: int64
                 * @description Unix seconds; null until it is completed.
                 */
                completed_at: number | null;
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                created_at: number;
                /** @description The id of the key that began it; null if a token did. */
                created_by: string | null;
                /**
                 * Format: int64
                 * @description Unix seconds after which it, and its file, is gone.
                 */
                expires_at: number;
                file: components["schemas"]["File"] | null;
                /** @description What the file is called. */
                filename: string;
                /** @description Its id: `upload_…`. */
                id: string;
                /** @description What the file is. */
                mime_type: string;
                /** @description Always `upload`. */
                object: string;
                /** @description What the file is for. */
                purpose: string;
                /** @description What all bytes hash to: as it was declared, and proven once the upload is completed. */
                sha256: string | null;
                /** @description `pending`, `completed`, `cancelled` or `expired`. */
                status: string;
                /** @description Whether an adapter version was made of it: its own bytes are gone then. */
                used: boolean;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description One page of things. */
        List_UploadPart: {
            /** @description The things. */
            data: {
                /**
                 * Format: int64
                 * @description Its size.
                 */
                bytes: number;
                /**
                 * Format: int64
                 * @description Unix seconds.
                 */
                created_at: number;
                /** @description Its id, `part_…`: what completing the upload names it by. */
                id: string;
                /** @description Always `upload.part`. */
                object: string;
                /**
                 * Format: int32
                 * @description The number that it was sent with.
                 */
                part_number: number | null;
                /** @description What its bytes hash to: 64 hex digits. */
                sha256: string;
                /** @description The upload. */
                upload_id: string;
            }[];
            /** @description Where this page begins. */
            first_id: string | null;
            /** @description Whether there are more. */
            has_more: boolean;
            /** @description Where this page ends: the next page's `after`. */
            last_id: string | null;
            /** @description Always `list`. */
            object: string;
        };
        /** @description Whom the presented credential speaks for, and what it may do. */
        Me: {
            /** @description The adapters that it may use; null is all of the tenant's. */
            adapters: string[] | null;
            /** @description The base model served here. */
            base_model: string;
            /** @description `api_key` or `token`. */
            credential: string;
            /** @description The key's id; null for a token. */
            key_id: string | null;
            /** @description Always `me`. */
            object: string;
            /** @description What it may do. */
            scopes: string[];
            /** @description The token's issuer and subject; null for a key. */
            subject: string | null;
            /** @description The tenant's short name. */
            tenant: string;
            /** @description The tenant's name for people. */
            tenant_name: string;
        };
        /** @description One turn of a conversation. What SDKs put beside these fields is not looked at. */
        Message: {
            content?: components["schemas"]["Content"] | null;
            /** @description Who speaks, where the chat template knows names. */
            name?: string | null;
            /** @description `system`, `developer`, `user`, `assistant` or `tool`. */
            role: string;
            /** @description Not supported. */
            tool_calls?: unknown;
        };
        /** @description Something that answers: the base model, or an adapter on it. */
        Model: {
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created: number;
            /** @description What to send as `model`. */
            id: string;
            /** @description Prompt and answer together, in tokens. */
            max_model_len: number;
            /** @description Always `model`. */
            object: string;
            /** @description The tenant's slug; `tenora` for the base model. */
            owned_by: string;
            /** @description The base model that an adapter was trained on; null for the base model. */
            parent: string | null;
        };
        /** @description A new API key. */
        NewKey: {
            /** @description The adapters that it may use; left out: all that its maker may. */
            adapters?: string[] | null;
            /**
             * Format: int64
             * @description Unix seconds after which it is refused; left out: never.
             */
            expires_at?: number | null;
            limits?: components["schemas"]["LimitOverridesSchema"] | null;
            /** @description What it is for. */
            name: string;
            /** @description What it may do; left out: `chat`, `models:read`, `adapters:read`, `adapters:write`, as far as its maker may. */
            scopes?: string[] | null;
        };
        /** @description A credential to sign in with. */
        NewSession: {
            /** @description A tenant's API key, or one of the operator's. */
            key: string;
        };
        /** @description A new tenant. */
        NewTenant: {
            /** @description Its name for people; the slug when left out. */
            name?: string | null;
            /** @description Its short name in paths: `^[a-z0-9][a-z0-9-]{0,62}$`. */
            slug: string;
        };
        /** @description A new upload. */
        NewUpload: {
            /**
             * Format: int64
             * @description What all parts will have together.
             */
            bytes: number;
            expires_after?: components["schemas"]["ExpiresAfter"] | null;
            /** @description What the file is called; nothing depends on it. */
            filename: string;
            /** @description What the file is; nothing depends on it. `application/octet-stream` when left out. */
            mime_type?: string | null;
            /** @description What the file is for; nothing depends on it. `adapter` when left out. */
            purpose?: string | null;
            /** @description What all bytes hash to, if it is known: 64 hex digits. Proven when the upload is completed, and a way to find it again. */
            sha256?: string | null;
        };
        /** @description This second, each second. */
        Now: {
            /** @description Adapters in memory. */
            adapters: components["schemas"]["AdaptersNow"];
            /**
             * Format: int64
             * @description When, in Unix seconds.
             */
            at: number;
            batch: components["schemas"]["BatchNow"] | null;
            /**
             * Format: double
             * @description Those of them that failed, or were cut off.
             */
            errors_per_s: number;
            /** @description From one token to the next, of the last minute. */
            gap_ms: components["schemas"]["Spread"];
            /**
             * Format: double
             * @description Tokens of prompts.
             */
            input_tokens_per_s: number;
            /** @description The KV pool. */
            kv: components["schemas"]["KvNow"];
            /**
             * Format: double
             * @description Tokens generated.
             */
            output_tokens_per_s: number;
            /** @description Whether the server can serve, as `/readyz` says. */
            ready: components["schemas"]["Readiness"];
            /**
             * Format: double
             * @description Generations that ended, a second, of the last ten.
             */
            requests_per_s: number;
            /**
             * Format: int64
             * @description Generations with a token.
             */
            running: number;
            /** @description The busiest; empty for a tenant. */
            tenants: components["schemas"]["TenantNow"][];
            /** @description Time to the first token, of the last minute. */
            ttft_ms: components["schemas"]["Spread"];
            /**
             * Format: int64
             * @description Generations without one.
             */
            waiting: number;
        };
        /** @description A string or several. */
        OneOrMany: string | string[];
        /** @description A part of a turn's text. */
        Part: {
            /** @description The text. */
            text?: string | null;
            /** @description `text`. */
            type: string;
        };
        /** @description The fields of a part, in any order. */
        PartUpload: {
            /**
             * Format: binary
             * @description Its bytes, at most 64 MiB.
             */
            data: string;
            /**
             * Format: int32
             * @description From 1 to 10000. The same bytes under the same number are one part, other bytes take its place: a part that is sent with
             *     a number may be sent again when its answer was lost.
             */
            part_number?: number | null;
        };
        /** @description Some seconds of it. */
        Point: {
            /**
             * Format: int64
             * @description When they were over, in Unix seconds.
             */
            at: number;
            /**
             * Format: int64
             * @description Those of them that failed, or were cut off.
             */
            errors: number;
            /** @description From one token to the next. */
            gap_ms: components["schemas"]["Spread"];
            /**
             * Format: int64
             * @description Tokens of prompts.
             */
            input_tokens: number;
            /**
             * Format: int64
             * @description Tokens generated.
             */
            output_tokens: number;
            /**
             * Format: int64
             * @description Generations that ended.
             */
            requests: number;
            /**
             * Format: int64
             * @description Generations with a token, at the end.
             */
            running: number;
            /**
             * Format: int32
             * @description How many.
             */
            seconds: number;
            /** @description Time to the first token. */
            ttft_ms: components["schemas"]["Spread"];
            /**
             * Format: int64
             * @description Generations without one, at the end.
             */
            waiting: number;
        };
        /** @description What to continue. */
        PromptField: string | string[] | number[];
        /** @description Details of the prompt's tokens. */
        PromptTokens: {
            /**
             * Format: int32
             * @description Tokens whose keys and values were still there.
             */
            cached_tokens: number;
        };
        /** @description One try to make a version. */
        Push: {
            /**
             * Format: int64
             * @description Size of its files.
             */
            bytes: number;
            /**
             * Format: int64
             * @description When its bytes were here; Unix seconds.
             */
            created_at: number;
            /** @description SHA-256 over the canonical config and the weights. */
            digest: string;
            error: components["schemas"]["PushError"] | null;
            /**
             * Format: int64
             * @description When it ended; Unix seconds.
             */
            finished_at: number | null;
            /** @description Names it: `push_…`. */
            id: string;
            /** @description The version that it became, such as `ticket-triage@1`. */
            model: string | null;
            /** @description The adapter's name. */
            name: string;
            /** @description Always `adapter.push`. */
            object: string;
            /** @description What the checks found, as far as they came: rank, modules, norms, warnings, … */
            report: Record<string, never> | null;
            /** @description `validating`, then `ready`, `rejected` (the files are at fault) or `failed` (the server is; push again). */
            status: string;
        };
        /** @description Why a push made no version. */
        PushError: {
            /** @description Stable, for programs. */
            code: string;
            /** @description What was wrong, where, and what would fix it. */
            message: string;
            /** @description The field or tensor at fault. */
            param: string | null;
        };
        /** @description Whether the process can serve. */
        Readiness: {
            /** @description The parts. */
            checks: components["schemas"]["Checks"];
            /** @description The sum of the checks. */
            status: components["schemas"]["State"];
        };
        /** @description What is left now; null where nothing is limited, or where it cannot be known. */
        Remaining: {
            concurrent_requests: components["schemas"]["Left"] | null;
            monthly_tokens: components["schemas"]["Left"] | null;
            requests_per_minute: components["schemas"]["Left"] | null;
            tokens_per_minute: components["schemas"]["Left"] | null;
        };
        /** @description One of them. */
        ResidentAdapter: {
            /** @description Its name. */
            adapter: string;
            /** @description Bytes it takes. */
            bytes: number;
            /** @description Its digest. */
            digest: string;
            /** @description Whether sequences run with it. */
            in_use: boolean;
            /** @description Whose. */
            tenant: string;
            /**
             * Format: int64
             * @description Which version; null while it is being tried.
             */
            version: number | null;
        };
        /** @description What the answer must be. An answer that `max_tokens` or a stop string cuts short is only the beginning of it. */
        ResponseFormatField: {
            json_schema?: components["schemas"]["JsonSchemaField"] | null;
            /** @description `text` (anything), `json_object` (a JSON object) or `json_schema` (JSON that the schema describes). */
            type: string;
        };
        /** @description How a key is replaced. */
        Rotation: {
            /**
             * Format: int32
             * @description For how many seconds the old key goes on working; 0 when left out, and 30 days at most.
             */
            grace_s?: number | null;
        };
        /** @description Who is signed in, and what they may do. */
        Session: {
            /** @description The base model served here. */
            base_model: string;
            /** @description What requests that change something repeat in `x-csrf-token`. */
            csrf: string;
            /**
             * Format: int64
             * @description When it ends, in Unix seconds.
             */
            expires_at: number;
            key: components["schemas"]["SessionKey"] | null;
            /** @description Always `session`. */
            object: string;
            /** @description `admin`, `viewer` or `tenant`. */
            role: string;
            /** @description What the key may do; empty for an operator. */
            scopes: string[];
            tenant: components["schemas"]["SessionTenant"] | null;
        };
        /** @description The key that is signed in. */
        SessionKey: {
            /** @description The adapters that it may use; null is all of the tenant's. */
            adapters: string[] | null;
            /** @description Its id. */
            id: string;
            /** @description What it is for; null where that cannot be read just now. */
            name: string | null;
        };
        /** @description The tenant that is signed in. */
        SessionTenant: {
            /** @description Its name for people. */
            name: string;
            /** @description Its short name. */
            slug: string;
        };
        /** @description The part of an alias's requests that one version answers. */
        Share: {
            /**
             * Format: int32
             * @description The version's number.
             */
            version: number;
            /**
             * Format: int32
             * @description Its part is this over the sum of all weights; 1 when left out.
             * @default 1
             */
            weight: number;
        };
        /** @description A median and what one in a hundred exceeds, in milliseconds; null when nothing came. */
        Spread: {
            /**
             * Format: double
             * @description The median.
             */
            p50: number | null;
            /**
             * Format: double
             * @description One in a hundred is above it.
             */
            p99: number | null;
        };
        /**
         * @description How a part is.
         * @enum {string}
         */
        State: "ok" | "degraded" | "unreachable" | "unused" | "stopping";
        /** @description One event of a stream. */
        StreamEvent: {
            /** @description A chunk as JSON, perhaps an error's envelope as the last one, or `[DONE]`. */
            data: string;
        };
        /** @description How a stream is told. */
        StreamOptions: {
            /** @description Whether a last chunk tells the usage. */
            include_usage?: boolean | null;
        };
        /** @description A tenant. */
        Tenant: {
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created_at: number;
            /** @description Its id. */
            id: string;
            /** @description What it may use at most, where that differs from the server's defaults. */
            limits: components["schemas"]["LimitOverridesSchema"];
            /** @description Its name for people. */
            name: string;
            /** @description Always `tenant`. */
            object: string;
            /** @description Its short name in paths. */
            slug: string;
            /** @description `active` or `suspended`. */
            status: string;
        };
        /** @description A tenant's part. */
        TenantNow: {
            /**
             * Format: double
             * @description Tokens generated.
             */
            output_tokens_per_s: number;
            /**
             * Format: double
             * @description Generations that ended, a second, of the last ten.
             */
            requests_per_s: number;
            /**
             * Format: int64
             * @description Generations with a token.
             */
            running: number;
            /** @description Its short name; `_other` = all beyond the first thousand. */
            slug: string;
            /**
             * Format: int64
             * @description Generations without one.
             */
            waiting: number;
        };
        /** @description What to change of a tenant; what is left out stays as it is. */
        TenantUpdate: {
            limits?: components["schemas"]["LimitOverridesSchema"] | null;
            /** @description Its name for people. */
            name?: string | null;
            /** @description `active` or `suspended`. */
            status?: string | null;
        };
        /**
         * @description An order of tenants.
         * @enum {string}
         */
        TenantsOrder: "slug" | "-slug" | "created_at" | "-created_at";
        /** @description A rival. */
        TopLogprob: {
            /** @description The token's bytes. */
            bytes: number[];
            /**
             * Format: float
             * @description Natural logarithm of its probability.
             */
            logprob: number;
            /** @description The token's text. */
            token: string;
        };
        /** @description An upload. */
        Upload: {
            /**
             * Format: int64
             * @description What all parts have together, as it was declared.
             */
            bytes: number;
            /**
             * Format: int64
             * @description Unix seconds; null until it is completed.
             */
            completed_at: number | null;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created_at: number;
            /** @description The id of the key that began it; null if a token did. */
            created_by: string | null;
            /**
             * Format: int64
             * @description Unix seconds after which it, and its file, is gone.
             */
            expires_at: number;
            file: components["schemas"]["File"] | null;
            /** @description What the file is called. */
            filename: string;
            /** @description Its id: `upload_…`. */
            id: string;
            /** @description What the file is. */
            mime_type: string;
            /** @description Always `upload`. */
            object: string;
            /** @description What the file is for. */
            purpose: string;
            /** @description What all bytes hash to: as it was declared, and proven once the upload is completed. */
            sha256: string | null;
            /** @description `pending`, `completed`, `cancelled` or `expired`. */
            status: string;
            /** @description Whether an adapter version was made of it: its own bytes are gone then. */
            used: boolean;
        };
        /** @description How an upload is completed. */
        UploadCompletion: {
            /** @description What all bytes hash to: 32 hex digits. */
            md5?: string | null;
            /** @description Every part, in the order of the file's bytes. Parts that are not named are dropped. */
            part_ids: string[];
            /** @description What all bytes hash to: 64 hex digits. */
            sha256?: string | null;
        };
        /** @description A part of an upload. */
        UploadPart: {
            /**
             * Format: int64
             * @description Its size.
             */
            bytes: number;
            /**
             * Format: int64
             * @description Unix seconds.
             */
            created_at: number;
            /** @description Its id, `part_…`: what completing the upload names it by. */
            id: string;
            /** @description Always `upload.part`. */
            object: string;
            /**
             * Format: int32
             * @description The number that it was sent with.
             */
            part_number: number | null;
            /** @description What its bytes hash to: 64 hex digits. */
            sha256: string;
            /** @description The upload. */
            upload_id: string;
        };
        /** @description What a request cost, in tokens. */
        Usage: {
            /**
             * Format: int32
             * @description Tokens generated, over all choices.
             */
            completion_tokens: number;
            /**
             * Format: int32
             * @description Tokens of the prompt, as the model read it.
             */
            prompt_tokens: number;
            /** @description What of the prompt was not computed again. */
            prompt_tokens_details: components["schemas"]["PromptTokens"];
            /**
             * Format: int32
             * @description The sum.
             */
            total_tokens: number;
        };
        /** @description What was used within one stretch of time. */
        UsageBucket: {
            /**
             * Format: int64
             * @description The second after the last, in Unix seconds.
             */
            end_time: number;
            /** @description Always `bucket`. */
            object: string;
            /** @description One per group that has usage. */
            results: components["schemas"]["UsageResult"][];
            /**
             * Format: int64
             * @description Unix seconds.
             */
            start_time: number;
        };
        /** @description Some buckets, in the order of time. */
        UsagePage: {
            /** @description The buckets, those without usage too. */
            data: components["schemas"]["UsageBucket"][];
            /** @description Whether more follow. */
            has_more: boolean;
            /** @description The next page's `page`; null on the last. */
            next_page: string | null;
            /** @description Always `page`. */
            object: string;
        };
        /** @description What one group used. A request counts in the bucket in which it began, however it ended. */
        UsageResult: {
            /** @description The API key, when grouped by `api_key_id`; null then for callers with a token. */
            api_key_id: string | null;
            /**
             * Format: int64
             * @description Tokens of prompts that were reused and not computed.
             */
            input_cached_tokens: number;
            /**
             * Format: int64
             * @description Tokens of prompts, the cached ones among them.
             */
            input_tokens: number;
            /** @description The base model's id or `name@7`, when grouped by `model`. */
            model: string | null;
            /**
             * Format: int64
             * @description Those of them that ended with an error, or that the server cut off.
             */
            num_failed_requests: number;
            /**
             * Format: int64
             * @description Requests.
             */
            num_model_requests: number;
            /** @description Always `organization.usage.completions.result`. */
            object: string;
            /** @description Whether this is the sum of all groups beyond `top`, which are not told apart. */
            others: boolean;
            /**
             * Format: int64
             * @description Tokens generated.
             */
            output_tokens: number;
            /** @description The tenant's slug, when grouped by `project_id`. */
            project_id: string | null;
        };
        /** @description What to change of a version. */
        VersionUpdate: {
            /** @description Why it is disabled; shown to whoever asks for it. */
            reason?: string | null;
            /** @description `ready` or `disabled`. */
            status: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
