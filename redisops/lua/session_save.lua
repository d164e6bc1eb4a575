-- Write some fields of a session, unless it vanished or appeared meanwhile.
-- KEYS[1]  hash: the session
-- ARGV[1]  mode: "update" (it must exist), "create" (it must not), "replace" (whatever was there)
-- ARGV[2]  time to live, milliseconds
-- ARGV[3]  how many fields to delete
-- ARGV[4+] the fields to delete, then field, value, field, value ...
-- Returns  1 written, 0 refused by the mode
local mode, first = ARGV[1], 4 + ARGV[3]
if mode == 'replace' then
  redis.call('DEL', KEYS[1])
elseif (redis.call('EXISTS', KEYS[1]) == 1) ~= (mode == 'update') then
  return 0
end
for at = 4, first - 1 do
  redis.call('HDEL', KEYS[1], ARGV[at])
end
for at = first, #ARGV, 1000 do  -- an even number: no pair is torn
  redis.call('HSET', KEYS[1], unpack(ARGV, at, math.min(at + 999, #ARGV)))
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
