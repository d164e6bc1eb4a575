-- Change how long a cached entry that is still valid lives.
-- KEYS[1]  string: the entry      KEYS[2]  sorted set: marks by the number of their invalidation
-- KEYS[3]  string: the number of the last invalidation
-- ARGV[1]  ms from now, 0 for ever      ARGV[2]  channel that is told of the key
-- ARGV[3]  the key's name there
-- Returns  1, or 0 where there is no entry
-- include: cache_current
local data = redis.pcall('GET', KEYS[1])
if type(data) ~= 'string' or #data < 28 or string.byte(data) ~= 193 then return 0 end
if not is_current(data, KEYS[1], KEYS[2], KEYS[3]) then return 0 end
if ARGV[1] == '0' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return 1
