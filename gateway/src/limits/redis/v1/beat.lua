-- Says that a replica lives, and how many do.
-- KEYS: the replicas. ARGV: the replica, how long its word holds (ms), now (ms, or '' for the server's).

local ms, holds = clock(ARGV[3]), whole(ARGV[2])
first('ZADD', KEYS[1], ms + holds, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms)
redis.call('PEXPIRE', KEYS[1], 2 * holds)
return redis.call('ZCARD', KEYS[1])
