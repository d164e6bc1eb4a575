-- Keep how one process says that its code caches a namespace, beside what the others say.
-- KEYS[1]  string: what was told last      KEYS[2]  hash: digest to what was told
-- KEYS[3]  sorted set: "digest process" by when it was told, seconds
-- ARGV[1]  the JSON      ARGV[2]  its digest      ARGV[3]  the process
-- ARGV[4]  seconds to keep KEYS[1]      ARGV[5]  seconds for which a process counts
-- Returns  how many tell, this one among them
local now = tonumber(redis.call('TIME')[1])
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[5])
redis.call('ZADD', KEYS[3], now, ARGV[2] .. ' ' .. ARGV[3])
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1001) -- the newest 1,000
if redis.call('HLEN', KEYS[2]) >= 32 then redis.call('DEL', KEYS[2]) end -- all tell theirs again
redis.call('HSET', KEYS[2], ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[5])
return redis.call('ZCARD', KEYS[3])
