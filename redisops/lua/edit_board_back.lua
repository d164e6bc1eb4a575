-- Put a board back under its name; what is there by then goes under a third one, whole.
-- KEYS[1]  sorted set: the board that was moved away   KEYS[2]  sorted set: where it belongs
-- KEYS[3]  sorted set: where that goes which is there by now
-- KEYS[3+] after these three the same three of each that lies beside a board
-- ARGV[1]  "1" to compare only   ARGV[2]  its expiry then, in ms since 1970, "" for none
-- Returns  {"saved", members put aside}; {"missing"}, {"exists"} when the third name is taken,
--          {"type", type} or {"past"}
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'zset' then return {'type', kind} end
local time = redis.call('TIME')
if ARGV[2] ~= '' and ARGV[2] + 0 <= time[1] * 1000 + time[2] / 1000 then return {'past'} end
local there = redis.call('TYPE', KEYS[2]).ok
if there ~= 'none' and redis.call('EXISTS', KEYS[3]) == 1 then return {'exists'} end
local aside = there == 'zset' and redis.call('ZCARD', KEYS[2]) or 0
if ARGV[1] == '1' then return {'saved', aside} end
for at = 1, #KEYS, 3 do
  if there ~= 'none' and redis.call('EXISTS', KEYS[at + 1]) == 1 then
    redis.call('RENAME', KEYS[at + 1], KEYS[at + 2])
    redis.call('PERSIST', KEYS[at + 2])
  end
  if redis.call('EXISTS', KEYS[at]) == 1 then
    redis.call('RENAME', KEYS[at], KEYS[at + 1])
    if ARGV[2] ~= '' then redis.call('PEXPIREAT', KEYS[at + 1], ARGV[2]) end
  end
end
return {'saved', aside}
