-- Charges every subject, or none.
-- KEYS: the reservation; of each subject its window, places and month.
-- ARGV: reservation, tokens, longest time (ms), '1' to look only, now (ms, or '' for the server's), generation of a
--       month that is seeded here; of each subject its four limits ('' = none), a seed ('' = none) and the seed's month.
-- Answers: verdict, subject, bucket, wait (ms, -1 = for ever), now, month; of each subject its requests, tokens, last
--          second, places, month's tokens (-1 = not counted) and generation.

local ADMITTED, REFUSED, UNSEEDED, OVER = 0, 1, 2, 3
local REQUESTS, TOKENS, CONCURRENCY, MONTH = 0, 1, 2, 3
local PLACE_WAIT_MS = 1000
-- A reservation is remembered for this much longer than it may last, for a settlement that is late.
local RECORD_GRACE_MS = 600000

local id, tokens, longest, look = ARGV[1], whole(ARGV[2]), whole(ARGV[3]), ARGV[4] == '1'
local ms, generation = clock(ARGV[5]), ARGV[6]
local month = month_of(ms)
local count = (#KEYS - 1) / 3

local heads = {}
for i = 1, count do heads[i] = head_of(KEYS[3 * i - 1]) end
local slot = slot_of(ms, heads)

local subjects = {}
for i = 1, count do
  local base = 6 + (i - 1) * 6
  local limit = function(n) return ARGV[base + n] ~= '' and whole(ARGV[base + n]) or nil end
  subjects[i] = {
    window = window(KEYS[3 * i - 1], heads[i], slot), places = KEYS[3 * i], month = KEYS[3 * i + 1],
    requests = limit(1), tokens = limit(2), concurrent = limit(3), monthly = limit(4),
    seed = limit(5), seed_month = limit(6),
  }
end

local function answer(verdict, subject, bucket, wait)
  local told = { verdict, subject, bucket, wait, ms, month }
  for _, s in ipairs(subjects) do
    for _, value in ipairs({ s.window.r, s.window.t, s.window.last, s.taken or 0, s.spent or -1, s.generation or 0 }) do
      told[#told + 1] = value
    end
  end
  return told
end

-- A reservation that was given up before it arrived here.
if redis.call('EXISTS', KEYS[1]) == 1 then return answer(OVER, 0, 0, 0) end

for i, s in ipairs(subjects) do
  if s.concurrent then
    s.taken = first('ZCARD', s.places)
    -- Places of the dead matter only when there is none left, or somebody asks.
    if look or s.taken >= s.concurrent then
      redis.call('ZREMRANGEBYSCORE', s.places, '-inf', ms)
      s.taken = redis.call('ZCARD', s.places)
    end
  end
  if s.monthly then
    s.spent, s.generation = spent_in(s.month, month)
    if not s.spent and s.seed and s.seed_month == month then
      for _, field in ipairs(redis.call('HKEYS', s.month)) do
        local old = whole(string.match(field, '^g?(%d+)$'))
        local before = month % 100 == 1 and month - 89 or month - 1
        if old ~= before then redis.call('HDEL', s.month, field) end
      end
      redis.call('HSET', s.month, month, s.seed, 'g' .. month, generation)
      redis.call('EXPIRE', s.month, MONTH_TTL_S)
      s.spent, s.generation = s.seed, whole(generation)
    end
    if not s.spent then return answer(UNSEEDED, i - 1, MONTH, 0) end
  end
end
if look then return answer(ADMITTED, 0, 0, 0) end

-- Of what is short, that which takes longest to come back.
local short
local function refuse(subject, bucket, wait)
  local longer = not short or (short.wait ~= -1 and (wait == -1 or wait > short.wait))
  if longer then short = { subject = subject, bucket = bucket, wait = wait } end
end

local function until_free(s, kind, used, more, limit)
  if more > limit then return -1 end
  local names = {}
  for second = slot - WINDOW_S, slot do names[#names + 1] = kind .. ':' .. second end
  local excess = used + more - limit
  for i, value in ipairs(redis.call('HMGET', s.window.key, unpack(names))) do
    excess = excess - whole(value)
    if excess <= 0 then return math.max(1, (slot - WINDOW_S + i - 1 + WINDOW_S + 1) * 1000 - ms) end
  end
  return (WINDOW_S + 1) * 1000
end

for i, s in ipairs(subjects) do
  if s.monthly and s.spent + tokens > s.monthly then refuse(i - 1, MONTH, -1) end
  if s.tokens and s.window.t + tokens > s.tokens then
    refuse(i - 1, TOKENS, until_free(s, 't', s.window.t, tokens, s.tokens))
  end
  if s.requests and s.window.r + 1 > s.requests then
    refuse(i - 1, REQUESTS, until_free(s, 'r', s.window.r, 1, s.requests))
  end
  if s.concurrent and s.taken >= s.concurrent then
    refuse(i - 1, CONCURRENCY, s.concurrent > 0 and PLACE_WAIT_MS or -1)
  end
end
if short then return answer(REFUSED, short.subject, short.bucket, short.wait) end

-- What is written here says what a settlement may correct: slot and month, and of each subject whether its window was
-- charged and the generation of the month that was (0 = none).
local record = { string.format('%d %d', slot, month) }
for _, s in ipairs(subjects) do
  local windowed = s.requests or s.tokens
  if windowed then charge(s.window, slot, slot, 1, tokens) end
  if s.concurrent then
    redis.call('ZADD', s.places, ms + longest, id)
    -- The last place to be taken may not be the last one to be free.
    if redis.call('PTTL', s.places) < longest then redis.call('PEXPIRE', s.places, longest + 1000) end
    s.taken = s.taken + 1
  end
  if s.monthly then
    s.spent = s.spent + tokens
    redis.call('HSET', s.month, month, s.spent)
  end
  record[#record + 1] = string.format('%d %.0f', windowed and 1 or 0, s.generation or 0)
end
redis.call('SET', KEYS[1], table.concat(record, ' '), 'PX', longest + RECORD_GRACE_MS)
return answer(ADMITTED, 0, 0, 0)
