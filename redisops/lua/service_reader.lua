-- Let a reader of a service say that it reads it and what it saw; bounded, by the server's clock.
-- KEYS[1]  sorted set of readers by the end of their word, ms   KEYS[2]  hash of what they say
-- ARGV[1]  reader   ARGV[2]  ms for which its word holds, 0 to leave   ARGV[3]  most readers
-- ARGV[4]  ms for which it has been reading   ARGV[5]  what it says, JSON
-- Returns  1 when it is kept, 0 when there are too many or it left
local time, lasts = redis.call('TIME'), tonumber(ARGV[2])
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function drop(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
  end
end
drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, 100))
-- After the server's clock was set back, ends lie further ahead than any word holds.
drop(redis.call('ZRANGEBYSCORE', KEYS[1], now + 600000, '+inf', 'LIMIT', 0, 100))
if lasts == 0 then
  drop({ARGV[1]})
  return 0
end
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[3])
  and not redis.call('ZSCORE', KEYS[1], ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + lasts, ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], (now - tonumber(ARGV[4])) .. ' ' .. now .. ' ' .. ARGV[5])
redis.call('PEXPIRE', KEYS[1], 2 * lasts)
redis.call('PEXPIRE', KEYS[2], 2 * lasts)
return 1
