-- Tenants, their keys, their adapters, and who changed what.

CREATE TABLE tenants (
    id         uuid        PRIMARY KEY,
    -- "C": names are compared by their bytes, as SQLite does, so that pages have one order everywhere.
    slug       text        COLLATE "C" NOT NULL UNIQUE,
    name       text        NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE api_keys (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    name       text        NOT NULL,
    -- HMAC-SHA-256 under the server's pepper; the secret itself is nowhere.
    mac        bytea       NOT NULL CHECK (octet_length(mac) = 32),
    -- Scope names with spaces between.
    scopes     text        NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);

CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, id);

-- A deleted adapter stays as a tombstone, so that its version numbers are never given again.
CREATE TABLE adapters (
    tenant_id   uuid        NOT NULL REFERENCES tenants (id),
    name        text        COLLATE "C" NOT NULL,
    last_number bigint      NOT NULL CHECK (last_number BETWEEN 0 AND 4294967295),
    created_at  timestamptz NOT NULL,
    deleted_at  timestamptz,
    PRIMARY KEY (tenant_id, name)
);

CREATE TABLE adapter_versions (
    tenant_id        uuid        NOT NULL,
    adapter          text        COLLATE "C" NOT NULL,
    number           bigint      NOT NULL CHECK (number BETWEEN 1 AND 4294967295),
    digest           bytea       NOT NULL CHECK (octet_length(digest) = 32),
    bytes            bigint      NOT NULL CHECK (bytes >= 0),
    base_fingerprint text        NOT NULL,
    report           jsonb       NOT NULL,
    created_at       timestamptz NOT NULL,
    deleted_at       timestamptz,
    PRIMARY KEY (tenant_id, adapter, number),
    FOREIGN KEY (tenant_id, adapter) REFERENCES adapters (tenant_id, name)
);

-- One live version per content, and the way to ask whether a blob is still needed.
CREATE UNIQUE INDEX adapter_versions_by_digest
    ON adapter_versions (tenant_id, digest, adapter, base_fingerprint) WHERE deleted_at IS NULL;

CREATE TABLE audit_log (
    id         uuid        PRIMARY KEY,
    tenant_id  uuid        NOT NULL REFERENCES tenants (id),
    actor      text        NOT NULL CHECK (actor IN ('admin', 'key', 'system')),
    actor_key  uuid,
    actor_ip   text,
    action     text        NOT NULL,
    subject    text        NOT NULL,
    detail     jsonb       NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, id);
