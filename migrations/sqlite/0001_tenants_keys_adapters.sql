-- Tenants, their keys, their adapters, and who changed what.

CREATE TABLE tenants (
    id         blob        PRIMARY KEY,
    slug       text        NOT NULL UNIQUE,
    name       text        NOT NULL,
    created_at text        NOT NULL
) STRICT;

CREATE TABLE api_keys (
    id         blob        PRIMARY KEY,
    tenant_id  blob        NOT NULL REFERENCES tenants (id),
    name       text        NOT NULL,
    -- HMAC-SHA-256 under the server's pepper; the secret itself is nowhere.
    mac        blob        NOT NULL CHECK (length(mac) = 32),
    -- Scope names with spaces between.
    scopes     text        NOT NULL,
    created_at text        NOT NULL,
    expires_at text,
    revoked_at text
) STRICT;

CREATE INDEX api_keys_by_tenant ON api_keys (tenant_id, id);

-- A deleted adapter stays as a tombstone, so that its version numbers are never given again.
CREATE TABLE adapters (
    tenant_id   blob        NOT NULL REFERENCES tenants (id),
    name        text        NOT NULL,
    last_number integer     NOT NULL CHECK (last_number BETWEEN 0 AND 4294967295),
    created_at  text        NOT NULL,
    deleted_at  text,
    PRIMARY KEY (tenant_id, name)
) STRICT;

CREATE TABLE adapter_versions (
    tenant_id        blob        NOT NULL,
    adapter          text        NOT NULL,
    number           integer     NOT NULL CHECK (number BETWEEN 1 AND 4294967295),
    digest           blob        NOT NULL CHECK (length(digest) = 32),
    bytes            integer     NOT NULL CHECK (bytes >= 0),
    base_fingerprint text        NOT NULL,
    report           text        NOT NULL,
    created_at       text        NOT NULL,
    deleted_at       text,
    PRIMARY KEY (tenant_id, adapter, number),
    FOREIGN KEY (tenant_id, adapter) REFERENCES adapters (tenant_id, name)
) STRICT;

-- One live version per content, and the way to ask whether a blob is still needed.
CREATE UNIQUE INDEX adapter_versions_by_digest
    ON adapter_versions (tenant_id, digest, adapter, base_fingerprint) WHERE deleted_at IS NULL;

CREATE TABLE audit_log (
    id         blob        PRIMARY KEY,
    tenant_id  blob        NOT NULL REFERENCES tenants (id),
    actor      text        NOT NULL CHECK (actor IN ('admin', 'key', 'system')),
    actor_key  blob,
    actor_ip   text,
    action     text        NOT NULL,
    subject    text        NOT NULL,
    detail     text        NOT NULL,
    created_at text        NOT NULL
) STRICT;

CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, id);
