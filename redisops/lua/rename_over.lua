-- RENAME over a key that still holds what was dumped of it, with the expiry it had then.
-- KEYS[1]  key of any type   KEYS[2]  the new name, in the same slot
-- ARGV[1]  SHA-1 of the dump that may be overwritten, as hex
-- ARGV[2]  that one's expiry (Unix milliseconds, -1 none)
-- Returns  1 renamed, 0 something else is at the new name by now, -1 no such key
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
local current = redis.call('DUMP', KEYS[2])
if not current or redis.sha1hex(current) ~= ARGV[1] then return 0 end
local at, expected = redis.pcall('PEXPIRETIME', KEYS[2]), tonumber(ARGV[2])
if type(at) == 'number' then
  if at ~= expected then return 0 end
elseif (redis.call('PTTL', KEYS[2]) < 0) ~= (expected < 0) then -- before Redis 7
  return 0
end
redis.call('RENAME', KEYS[1], KEYS[2])
return 1
