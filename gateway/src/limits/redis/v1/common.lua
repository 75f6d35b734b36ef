-- What the scripts share. Every value is read as if anybody could have written it: what is no whole number is zero, and
-- a key of another type is removed. Numbers stay below 2^53, where a double is exact.

local WINDOW_S = 60
local WINDOW_TTL_S = 125
local MONTH_TTL_S = 70 * 86400
local GREATEST = 9007199254740991

local function whole(value)
  local number = tonumber(value)
  if not number or number ~= number or number < 0 or number > GREATEST then return 0 end
  return math.floor(number)
end

-- The first thing that is asked of a key: should another type be there, it goes.
local function first(command, key, ...)
  local found = redis.pcall(command, key, ...)
  if type(found) ~= 'table' or not found.err then return found end
  if string.find(found.err, 'WRONGTYPE', 1, true) then redis.call('DEL', key) end
  return redis.call(command, key, ...)
end

-- Unix milliseconds: the server's, or (in tests) as given.
local function clock(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- 202611 for November 2026, UTC. The algorithm is `civil_from_days` of
-- https://howardhinnant.github.io/date_algorithms.html
local function month_of(ms)
  local z = math.floor(ms / 86400000) + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return year * 100 + month
end

-- The second that counts as now. A clock that was set back by up to a window waits for itself; after a longer step, what
-- was charged in its future counts as charged now (see `window`).
local function slot_of(ms, heads)
  local now = math.floor(ms / 1000)
  local slot = now
  for _, head in ipairs(heads) do
    local at = whole(head[1])
    if at > slot and at - now <= WINDOW_S then slot = at end
  end
  return slot
end

local function head_of(key)
  return first('HMGET', key, 'at', 'r', 't', 'last')
end

-- A window: `r:<second>` requests and `t:<second>` tokens, their sums `r` and `t` as of second `at`, and the `last`
-- second that was charged. The sums are made anew once a second, and the slots that left the window removed with that:
-- at most 61 slots are looked at, and only by the first call of a second.
local function window(key, head, slot)
  local found = { key = key, new = not head[1], r = whole(head[2]), t = whole(head[3]), last = whole(head[4]) }
  if not head[1] or whole(head[1]) == slot then return found end
  found.r, found.t, found.last = 0, 0, 0
  local late = { r = 0, t = 0 }
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local kind, second = string.match(fields[i], '^([rt]):(%d+)$')
    second = whole(second)
    if kind and second >= slot - WINDOW_S and second <= slot then
      found[kind] = found[kind] + whole(fields[i + 1])
      if second > found.last then found.last = second end
    else
      if kind and second > slot then late[kind] = late[kind] + whole(fields[i + 1]) end
      redis.call('HDEL', key, fields[i])
    end
  end
  for kind, amount in pairs(late) do
    if amount > 0 then
      local field = kind .. ':' .. slot
      redis.call('HSET', key, field, whole(redis.call('HGET', key, field)) + amount)
      found[kind] = found[kind] + amount
      found.last = slot
    end
  end
  redis.call('HSET', key, 'at', slot, 'r', found.r, 't', found.t, 'last', found.last)
  redis.call('EXPIRE', key, WINDOW_TTL_S)
  return found
end

local function charge(found, slot, second, requests, tokens)
  local r, t = 'r:' .. second, 't:' .. second
  local old = redis.call('HMGET', found.key, r, t)
  found.r = found.r + requests
  found.t = found.t + tokens
  if second > found.last then found.last = second end
  redis.call('HSET', found.key, r, whole(old[1]) + requests, t, whole(old[2]) + tokens,
    'at', slot, 'r', found.r, 't', found.t, 'last', found.last)
  -- Later, whoever makes the sums anew does it.
  if found.new then redis.call('EXPIRE', found.key, WINDOW_TTL_S) end
  found.new = false
end

-- Tokens of a month, or nil when it is not counted, and its generation.
local function spent_in(key, month)
  local found = first('HMGET', key, month, 'g' .. month)
  local spent = found[1] and string.match(found[1], '^%d+$') and tonumber(found[1])
  if not spent or spent > GREATEST then spent = nil end
  return spent, whole(found[2])
end
