-- Gives the places back and corrects tokens, once: a settlement that is sent again finds its reservation gone.
-- KEYS: the reservation; of each subject its window, places and month.
-- ARGV: reservation, estimate, tokens, '1' when it is not known whether the reservation was made, the month that was
--       charged; of each subject the generation of the month that was charged (0 = none, or not known).

local REMEMBERED_MS = 600000

local id, estimate, tokens, unsure, charged_month = ARGV[1], whole(ARGV[2]), whole(ARGV[3]), ARGV[4] == '1', ARGV[5]
local count = (#KEYS - 1) / 3

typed(KEYS[1], 'string')
local record = redis.call('GET', KEYS[1])
local told = {}
for word in string.gmatch(record or '', '%d+') do told[#told + 1] = tonumber(word) end
local made = #told == 2 + 2 * count
local slot, month = whole(told[1]), whole(told[2])
if unsure and not record then
  -- Should the reservation still arrive, it finds that it is over.
  redis.call('SET', KEYS[1], 'over', 'PX', REMEMBERED_MS)
elseif record and record ~= 'over' then
  redis.call('DEL', KEYS[1])
end

local function correct_field(key, kind, change)
  local field = kind .. ':' .. slot
  local old = redis.call('HGET', key, field)
  if not old then return end
  old = whole(old)
  local new = math.max(0, old + change)
  local sum = math.max(0, whole(redis.call('HGET', key, kind)) + new - old)
  redis.call('HSET', key, field, new, kind, sum)
end

local function correct_window(key)
  typed(key, 'hash')
  correct_field(key, 't', tokens - estimate)
  -- Who does not know of the reservation has had the request decided elsewhere, or nobody waits for it any more.
  if unsure then correct_field(key, 'r', -1) end
end

local function correct_month(key, which, change)
  local spent = spent_in(key, which)
  if spent then redis.call('HSET', key, which, math.max(0, spent + change)) end
end

for i = 1, count do
  local places, month_key, known = KEYS[3 * i], KEYS[3 * i + 1], whole(ARGV[5 + i])
  typed(places, 'zset')
  typed(month_key, 'hash')
  redis.call('ZREM', places, id)
  if made then
    local generation = told[2 + 2 * i]
    if told[1 + 2 * i] == 1 then correct_window(KEYS[3 * i - 1]) end
    if generation ~= 0 then
      -- A month that was seeded after the charge does not have it.
      local same = whole(redis.call('HGET', month_key, 'g' .. month)) == generation
      correct_month(month_key, month, same and tokens - estimate or tokens)
    end
  elseif known ~= 0 and whole(redis.call('HGET', month_key, 'g' .. charged_month)) ~= known then
    -- Redis lost the reservation together with the month that had it.
    correct_month(month_key, charged_month, tokens)
  end
end
return 1
