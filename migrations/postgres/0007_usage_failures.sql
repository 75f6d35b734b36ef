-- How many of an hour's requests failed: those that ended with an error, or were cut off by the server. Hours that were
-- summed before have none.

ALTER TABLE usage_hourly ADD COLUMN failed bigint NOT NULL DEFAULT 0;
