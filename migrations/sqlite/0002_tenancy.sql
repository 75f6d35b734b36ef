-- Who may still do what: a tenant's status and limits, more about keys, and the epoch that every change of these raises.

ALTER TABLE tenants ADD COLUMN status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted'));
-- What differs from the server's defaults; an object.
ALTER TABLE tenants ADD COLUMN limits text NOT NULL DEFAULT '{}';

ALTER TABLE api_keys ADD COLUMN limits text NOT NULL DEFAULT '{}';
-- Names of the adapters that it may use; null = all of its tenant's.
ALTER TABLE api_keys ADD COLUMN adapters text;
ALTER TABLE api_keys ADD COLUMN last_used_at text;

-- One row: raised in the transaction of whatever takes a credential's powers away.
CREATE TABLE credential_epoch (
    id    integer PRIMARY KEY CHECK (id = 1),
    epoch integer NOT NULL
) STRICT;
INSERT INTO credential_epoch (id, epoch) VALUES (1, 0);

-- A check cannot be widened in place.
CREATE TABLE audit_log_2 (
    id            blob PRIMARY KEY,
    tenant_id     blob NOT NULL REFERENCES tenants (id),
    actor         text NOT NULL CHECK (actor IN ('admin', 'key', 'token', 'system')),
    actor_key     blob,
    actor_ip      text,
    action        text NOT NULL,
    subject       text NOT NULL,
    detail        text NOT NULL,
    created_at    text NOT NULL,
    -- Of a token: `<issuer> <subject>`.
    actor_subject text
) STRICT;
INSERT INTO audit_log_2 (id, tenant_id, actor, actor_key, actor_ip, action, subject, detail, created_at)
    SELECT id, tenant_id, actor, actor_key, actor_ip, action, subject, detail, created_at FROM audit_log;
DROP TABLE audit_log;
ALTER TABLE audit_log_2 RENAME TO audit_log;
CREATE INDEX audit_log_by_tenant ON audit_log (tenant_id, id);
