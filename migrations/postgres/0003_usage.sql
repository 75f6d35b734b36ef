-- What was used: one row per request, and its sums by hour.
-- No reference to keys and adapters: usage outlives them.

CREATE TABLE usage_events (
    -- The request's own id: recording it again changes nothing.
    id            uuid        PRIMARY KEY,
    tenant_id     uuid        NOT NULL REFERENCES tenants (id),
    -- Who asked: an API key, or the subject of a token.
    key_id        uuid,
    subject       text,
    -- What answered; both null = the base model.
    adapter       text        COLLATE "C",
    version       bigint      CHECK (version BETWEEN 1 AND 4294967295),
    outcome       text        NOT NULL CHECK (outcome IN ('finished', 'failed', 'cancelled', 'cut_off')),
    started_at    timestamptz NOT NULL,
    -- The minute of `started_at`, in Unix seconds: a number, so that both databases cut buckets with the same arithmetic.
    minute        bigint      NOT NULL CHECK (minute % 60 = 0),
    input_tokens  bigint      NOT NULL CHECK (input_tokens >= 0),
    -- The part of `input_tokens` that was reused and not computed.
    cached_tokens bigint      NOT NULL CHECK (cached_tokens >= 0),
    output_tokens bigint      NOT NULL CHECK (output_tokens >= 0),
    duration_ms   bigint      NOT NULL CHECK (duration_ms >= 0),
    -- Null when no token came.
    ttft_ms       bigint      CHECK (ttft_ms >= 0),
    CHECK ((key_id IS NULL) <> (subject IS NULL)),
    CHECK ((adapter IS NULL) = (version IS NULL))
);

CREATE INDEX usage_events_by_tenant ON usage_events (tenant_id, minute);
CREATE INDEX usage_events_by_minute ON usage_events (minute);

CREATE TABLE usage_hourly (
    tenant_id     uuid        NOT NULL REFERENCES tenants (id),
    -- The hour's start, in Unix seconds.
    hour          bigint      NOT NULL CHECK (hour % 3600 = 0),
    -- All zeroes = callers with a token.
    key_id        uuid        NOT NULL,
    -- '' and 0 = the base model.
    adapter       text        COLLATE "C" NOT NULL,
    version       bigint      NOT NULL CHECK (version BETWEEN 0 AND 4294967295),
    requests      bigint      NOT NULL,
    input_tokens  bigint      NOT NULL,
    cached_tokens bigint      NOT NULL,
    output_tokens bigint      NOT NULL,
    PRIMARY KEY (tenant_id, hour, key_id, adapter, version),
    CHECK ((adapter = '') = (version = 0))
);

CREATE INDEX usage_hourly_by_hour ON usage_hourly (hour);

ALTER TABLE usage_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_events FORCE  ROW LEVEL SECURITY;
ALTER TABLE usage_hourly ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage_hourly FORCE  ROW LEVEL SECURITY;

CREATE POLICY of_tenant ON usage_events USING (tenora_may_see(tenant_id));
CREATE POLICY of_tenant ON usage_hourly USING (tenora_may_see(tenant_id));
