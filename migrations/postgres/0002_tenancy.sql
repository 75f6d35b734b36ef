-- Who may still do what: a tenant's status and limits, more about keys, and the epoch that every change of these raises.
-- And the second wall: rows of a tenant are seen only by statements that said whose they want.

ALTER TABLE tenants
    ADD COLUMN status text  NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended', 'deleted')),
    -- What differs from the server's defaults; an object.
    ADD COLUMN limits jsonb NOT NULL DEFAULT '{}';

ALTER TABLE api_keys
    ADD COLUMN limits       jsonb NOT NULL DEFAULT '{}',
    -- Names of the adapters that it may use; null = all of its tenant's.
    ADD COLUMN adapters     jsonb,
    ADD COLUMN last_used_at timestamptz;

-- One row: raised in the transaction of whatever takes a credential's powers away.
CREATE TABLE credential_epoch (
    id    smallint PRIMARY KEY CHECK (id = 1),
    epoch bigint   NOT NULL
);
INSERT INTO credential_epoch (id, epoch) VALUES (1, 0);

ALTER TABLE audit_log DROP CONSTRAINT audit_log_actor_check;
ALTER TABLE audit_log
    ADD CONSTRAINT audit_log_actor_check CHECK (actor IN ('admin', 'key', 'token', 'system')),
    -- Of a token: `<issuer> <subject>`.
    ADD COLUMN actor_subject text;

-- `tenora.tenant` is set for one transaction by whoever works for one tenant, `tenora.operator` by the operator's handle.
CREATE FUNCTION tenora_may_see(owner uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT owner = nullif(current_setting('tenora.tenant', true), '')::uuid
        OR current_setting('tenora.operator', true) = 'on'
$$;

ALTER TABLE tenants          ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants          FORCE  ROW LEVEL SECURITY;
ALTER TABLE api_keys         ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_keys         FORCE  ROW LEVEL SECURITY;
ALTER TABLE adapters         ENABLE ROW LEVEL SECURITY;
ALTER TABLE adapters         FORCE  ROW LEVEL SECURITY;
ALTER TABLE adapter_versions ENABLE ROW LEVEL SECURITY;
ALTER TABLE adapter_versions FORCE  ROW LEVEL SECURITY;
ALTER TABLE audit_log        ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_log        FORCE  ROW LEVEL SECURITY;

CREATE POLICY of_tenant ON tenants          USING (tenora_may_see(id));
CREATE POLICY of_tenant ON api_keys         USING (tenora_may_see(tenant_id));
CREATE POLICY of_tenant ON adapters         USING (tenora_may_see(tenant_id));
CREATE POLICY of_tenant ON adapter_versions USING (tenora_may_see(tenant_id));
CREATE POLICY of_tenant ON audit_log        USING (tenora_may_see(tenant_id));
