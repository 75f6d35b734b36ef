-- Resumable uploads: what a tenant is sending in parts, and the parts that have arrived.

CREATE TABLE uploads (
    tenant_id    blob        NOT NULL REFERENCES tenants (id),
    id           blob        NOT NULL,
    -- What its sender calls the file; never a part of a path.
    filename     text        NOT NULL,
    purpose      text        NOT NULL,
    mime_type    text        NOT NULL,
    -- As declared: reserved until the upload ends, and what its parts have together when it is completed.
    bytes        integer     NOT NULL CHECK (bytes > 0),
    -- As declared, or null; proven when the upload is completed.
    sha256       blob        CHECK (length(sha256) = 32),
    -- 'used': a version was made of it, and its own bytes are gone.
    state        text        NOT NULL CHECK (state IN ('pending', 'completed', 'used', 'cancelled', 'expired')),
    -- The key that began it; null = a token, or the server itself.
    created_by   blob,
    created_at   text        NOT NULL,
    expires_at   text        NOT NULL,
    completed_at text,
    -- The parts of a completed upload, in their order; an array.
    part_ids     text,
    PRIMARY KEY (tenant_id, id)
) STRICT;

-- What a tenant has reserved, and whose time is over.
CREATE INDEX uploads_open ON uploads (tenant_id) WHERE state IN ('pending', 'completed');
CREATE INDEX uploads_by_end ON uploads (expires_at);

-- A row is here as long as its bytes may be.
CREATE TABLE upload_parts (
    tenant_id  blob        NOT NULL,
    upload_id  blob        NOT NULL,
    id         blob        NOT NULL,
    -- Its sender's own count, to find it again after a broken connection.
    number     integer     CHECK (number BETWEEN 1 AND 10000),
    bytes      integer     NOT NULL CHECK (bytes > 0),
    sha256     blob        NOT NULL CHECK (length(sha256) = 32),
    created_at text        NOT NULL,
    PRIMARY KEY (tenant_id, upload_id, id),
    FOREIGN KEY (tenant_id, upload_id) REFERENCES uploads (tenant_id, id)
) STRICT;

CREATE UNIQUE INDEX upload_parts_by_number
    ON upload_parts (tenant_id, upload_id, number) WHERE number IS NOT NULL;
