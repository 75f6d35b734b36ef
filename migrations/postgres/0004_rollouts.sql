-- Which version a name means: aliases with their history, versions that are out of service, and pushes with their reports.

-- The owner's statements below are bound by row-level security, too.
SELECT set_config('tenora.operator', 'on', true);

-- Why it is out of service; null = it is not.
ALTER TABLE adapter_versions ADD COLUMN disabled text;

-- Every state that an alias ever had: a move ends the row that was true until then and adds the next one.
CREATE TABLE adapter_aliases (
    tenant_id  uuid        NOT NULL,
    adapter    text        COLLATE "C" NOT NULL,
    alias      text        COLLATE "C" NOT NULL,
    -- Counts the alias's moves, from 1; goes on when an alias is made again.
    revision   bigint      NOT NULL CHECK (revision > 0),
    -- [{"version": 6, "weight": 90}, …]
    targets    jsonb       NOT NULL,
    moved_at   timestamptz NOT NULL,
    -- Null = this is what the alias means now.
    ended_at   timestamptz,
    PRIMARY KEY (tenant_id, adapter, alias, revision),
    FOREIGN KEY (tenant_id, adapter) REFERENCES adapters (tenant_id, name)
);

CREATE UNIQUE INDEX adapter_aliases_now ON adapter_aliases (tenant_id, adapter, alias) WHERE ended_at IS NULL;

INSERT INTO adapter_aliases (tenant_id, adapter, alias, revision, targets, moved_at)
    SELECT tenant_id, adapter, 'latest', 1, jsonb_build_array(jsonb_build_object('version', MAX(number), 'weight', 1)), MAX(created_at)
    FROM adapter_versions WHERE deleted_at IS NULL GROUP BY tenant_id, adapter;

-- One row per try to make a version, also of those that were refused.
CREATE TABLE pushes (
    id          uuid        PRIMARY KEY,
    tenant_id   uuid        NOT NULL REFERENCES tenants (id),
    adapter     text        COLLATE "C" NOT NULL,
    state       text        NOT NULL CHECK (state IN ('validating', 'ready', 'rejected', 'failed')),
    digest      bytea       NOT NULL CHECK (octet_length(digest) = 32),
    bytes       bigint      NOT NULL CHECK (bytes >= 0),
    -- The version that it became.
    version     bigint      CHECK (version BETWEEN 1 AND 4294967295),
    -- What the checks found, as far as they came.
    report      jsonb,
    -- {"code", "param", "message"}: why it did not become one.
    refusal     jsonb,
    created_at  timestamptz NOT NULL,
    -- While it is validated: when the server that does so was last known to live.
    touched_at  timestamptz NOT NULL,
    finished_at timestamptz,
    CHECK ((state = 'validating') = (finished_at IS NULL)),
    CHECK ((state = 'ready') = (version IS NOT NULL))
);

CREATE INDEX pushes_by_tenant ON pushes (tenant_id, id);
CREATE INDEX pushes_unfinished ON pushes (touched_at) WHERE finished_at IS NULL;
CREATE INDEX pushes_finished ON pushes (finished_at) WHERE finished_at IS NOT NULL;

ALTER TABLE adapter_aliases ENABLE ROW LEVEL SECURITY;
ALTER TABLE adapter_aliases FORCE  ROW LEVEL SECURITY;
ALTER TABLE pushes          ENABLE ROW LEVEL SECURITY;
ALTER TABLE pushes          FORCE  ROW LEVEL SECURITY;

CREATE POLICY of_tenant ON adapter_aliases USING (tenora_may_see(tenant_id));
CREATE POLICY of_tenant ON pushes          USING (tenora_may_see(tenant_id));
