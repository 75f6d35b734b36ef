-- Charges a subject with what a replica let through while it could not ask, once.
-- KEYS: the deposit, the subject's window and month.
-- ARGV: now (ms, or '' for the server's); a number of months, and of each its name and tokens; then age (s), requests
--       and tokens of each slot.

local REMEMBERED_S = 3600

if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', REMEMBERED_S) then return 0 end
local ms = clock(ARGV[1])
local head = head_of(KEYS[2])
local slot = slot_of(ms, { head })

local months = whole(ARGV[2])
local at = 3
for _ = 1, months do
  local spent = spent_in(KEYS[3], ARGV[at])
  -- A month that is not counted will be seeded from the usage rows.
  if spent then redis.call('HSET', KEYS[3], ARGV[at], spent + whole(ARGV[at + 1])) end
  at = at + 2
end

local found = window(KEYS[2], head, slot)
for i = at, #ARGV, 3 do
  local age = math.min(WINDOW_S, whole(ARGV[i]))
  charge(found, slot, slot - age, whole(ARGV[i + 1]), whole(ARGV[i + 2]))
end
return 1
