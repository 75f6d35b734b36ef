-- Which version a name means: aliases with their history, versions that are out of service, and pushes with their reports.

-- Why it is out of service; null = it is not.
ALTER TABLE adapter_versions ADD COLUMN disabled text;

-- Every state that an alias ever had: a move ends the row that was true until then and adds the next one.
CREATE TABLE adapter_aliases (
    tenant_id  blob    NOT NULL,
    adapter    text    NOT NULL,
    alias      text    NOT NULL,
    -- Counts the alias's moves, from 1; goes on when an alias is made again.
    revision   integer NOT NULL CHECK (revision > 0),
    -- [{"version": 6, "weight": 90}, …]
    targets    text    NOT NULL,
    moved_at   text    NOT NULL,
    -- Null = this is what the alias means now.
    ended_at   text,
    PRIMARY KEY (tenant_id, adapter, alias, revision),
    FOREIGN KEY (tenant_id, adapter) REFERENCES adapters (tenant_id, name)
) STRICT;

CREATE UNIQUE INDEX adapter_aliases_now ON adapter_aliases (tenant_id, adapter, alias) WHERE ended_at IS NULL;

INSERT INTO adapter_aliases (tenant_id, adapter, alias, revision, targets, moved_at)
    SELECT tenant_id, adapter, 'latest', 1, json_array(json_object('version', MAX(number), 'weight', 1)), MAX(created_at)
    FROM adapter_versions WHERE deleted_at IS NULL GROUP BY tenant_id, adapter;

-- One row per try to make a version, also of those that were refused.
CREATE TABLE pushes (
    id          blob    PRIMARY KEY,
    tenant_id   blob    NOT NULL REFERENCES tenants (id),
    adapter     text    NOT NULL,
    state       text    NOT NULL CHECK (state IN ('validating', 'ready', 'rejected', 'failed')),
    digest      blob    NOT NULL CHECK (length(digest) = 32),
    bytes       integer NOT NULL CHECK (bytes >= 0),
    -- The version that it became.
    version     integer CHECK (version BETWEEN 1 AND 4294967295),
    -- What the checks found, as far as they came.
    report      text,
    -- {"code", "param", "message"}: why it did not become one.
    refusal     text,
    created_at  text    NOT NULL,
    -- While it is validated: when the server that does so was last known to live.
    touched_at  text    NOT NULL,
    finished_at text,
    CHECK ((state = 'validating') = (finished_at IS NULL)),
    CHECK ((state = 'ready') = (version IS NOT NULL))
) STRICT;

CREATE INDEX pushes_by_tenant ON pushes (tenant_id, id);
CREATE INDEX pushes_unfinished ON pushes (touched_at) WHERE finished_at IS NULL;
CREATE INDEX pushes_finished ON pushes (finished_at) WHERE finished_at IS NOT NULL;
