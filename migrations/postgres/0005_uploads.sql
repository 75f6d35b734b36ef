-- Resumable uploads: what a tenant is sending in parts, and the parts that have arrived.

CREATE TABLE uploads (
    tenant_id    uuid        NOT NULL REFERENCES tenants (id),
    id           uuid        NOT NULL,
    -- What its sender calls the file; never a part of a path.
    filename     text        NOT NULL,
    purpose      text        NOT NULL,
    mime_type    text        NOT NULL,
    -- As declared: reserved until the upload ends, and what its parts have together when it is completed.
    bytes        bigint      NOT NULL CHECK (bytes > 0),
    -- As declared, or null; proven when the upload is completed.
    sha256       bytea       CHECK (octet_length(sha256) = 32),
    -- 'used': a version was made of it, and its own bytes are gone.
    state        text        NOT NULL CHECK (state IN ('pending', 'completed', 'used', 'cancelled', 'expired')),
    -- The key that began it; null = a token, or the server itself.
    created_by   uuid,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    completed_at timestamptz,
    -- The parts of a completed upload, in their order; an array.
    part_ids     jsonb,
    PRIMARY KEY (tenant_id, id)
);

-- What a tenant has reserved, and whose time is over.
CREATE INDEX uploads_open ON uploads (tenant_id) WHERE state IN ('pending', 'completed');
CREATE INDEX uploads_by_end ON uploads (expires_at);

-- A row is here as long as its bytes may be.
CREATE TABLE upload_parts (
    tenant_id  uuid        NOT NULL,
    upload_id  uuid        NOT NULL,
    id         uuid        NOT NULL,
    -- Its sender's own count, to find it again after a broken connection.
    number     bigint      CHECK (number BETWEEN 1 AND 10000),
    bytes      bigint      NOT NULL CHECK (bytes > 0),
    sha256     bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, upload_id, id),
    FOREIGN KEY (tenant_id, upload_id) REFERENCES uploads (tenant_id, id)
);

CREATE UNIQUE INDEX upload_parts_by_number
    ON upload_parts (tenant_id, upload_id, number) WHERE number IS NOT NULL;

ALTER TABLE uploads      ENABLE ROW LEVEL SECURITY;
ALTER TABLE uploads      FORCE  ROW LEVEL SECURITY;
ALTER TABLE upload_parts ENABLE ROW LEVEL SECURITY;
ALTER TABLE upload_parts FORCE  ROW LEVEL SECURITY;

CREATE POLICY of_tenant ON uploads      USING (tenora_may_see(tenant_id));
CREATE POLICY of_tenant ON upload_parts USING (tenora_may_see(tenant_id));
