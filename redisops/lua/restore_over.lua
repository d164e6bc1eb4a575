-- RESTORE over a key that still holds what was dumped of it, with the expiry it had then.
-- KEYS[1]  key of any type
-- ARGV[1]  the dump to restore   ARGV[2]  its expiry (Unix milliseconds, 0 none)
-- ARGV[3]  SHA-1 of the dump that may be overwritten, as hex
-- ARGV[4]  that one's expiry (Unix milliseconds, -1 none)
-- Returns  1 restored, 0 something else is there by now; an error when the dump is refused
local current = redis.call('DUMP', KEYS[1])
if not current or redis.sha1hex(current) ~= ARGV[3] then return 0 end
local at, expected = redis.pcall('PEXPIRETIME', KEYS[1]), tonumber(ARGV[4])
if type(at) == 'number' then
  if at ~= expected then return 0 end
elseif (redis.call('PTTL', KEYS[1]) < 0) ~= (expected < 0) then -- before Redis 7
  return 0
end
redis.call('RESTORE', KEYS[1], ARGV[2], ARGV[1], 'REPLACE', 'ABSTTL')
return 1
