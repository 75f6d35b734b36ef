-- Gives the places back and corrects tokens, once: a settlement that is sent again finds its reservation gone.
-- KEYS: the reservation; of each subject its window, places and month.
-- ARGV: reservation, estimate, tokens, '1' when it is not known whether the reservation was made, the month that was
--       charged; of each subject the generation of the month that was charged (0 = none, or not known).

local REMEMBERED_MS = 600000

local id, estimate, tokens, unsure, charged_month = ARGV[1], whole(ARGV[2]), whole(ARGV[3]), ARGV[4] == '1', ARGV[5]
local count = (#KEYS - 1) / 3

local record = first('GET', KEYS[1])
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

local function correct_window(key)
  local requests, amount = 'r:' .. slot, 't:' .. slot
  local old = first('HMGET', key, requests, amount, 'r', 't')
  local function correct(field, was, sum_field, sum, change)
    if not was then return end
    was = whole(was)
    local new = math.max(0, was + change)
    redis.call('HSET', key, field, new, sum_field, math.max(0, whole(sum) + new - was))
  end
  correct(amount, old[2], 't', old[4], tokens - estimate)
  -- Who does not know of the reservation has had the request decided elsewhere, or nobody waits for it any more.
  if unsure then correct(requests, old[1], 'r', old[3], -1) end
end

for i = 1, count do
  local month_key, known = KEYS[3 * i + 1], whole(ARGV[5 + i])
  first('ZREM', KEYS[3 * i], id)
  local charged, generation = charged_month, known
  if made then
    charged, generation = month, told[2 + 2 * i]
    if told[1 + 2 * i] == 1 then correct_window(KEYS[3 * i - 1]) end
  end
  if generation ~= 0 then
    -- A month that was seeded after the charge does not have it; one that has it, and no record, is settled.
    local spent, present = spent_in(month_key, charged)
    local change = present ~= generation and tokens or made and tokens - estimate or 0
    if spent then redis.call('HSET', month_key, charged, math.max(0, spent + change)) end
  end
end
return 1
