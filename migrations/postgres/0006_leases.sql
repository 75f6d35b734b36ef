-- What one server at a time does: whoever holds the lease, until it ends by itself. No tenant's rows.

CREATE TABLE leases (
    name    text   PRIMARY KEY,
    holder  uuid   NOT NULL,
    -- Unix seconds: a number, so that both databases compare it alike.
    ends_at bigint NOT NULL
);
