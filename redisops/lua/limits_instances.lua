-- Sign an instance of a service on for a while, and count those that are signed on.
-- KEYS[1]  sorted set of instances by the end of their sign-on, ms since 1970
-- ARGV[1]  the instance   ARGV[2]  ms for which it is signed on, 0 to sign it off
-- Returns  {how many are signed on, seconds, microseconds of the server's clock}
local time = redis.call('TIME')
local now, lasts = time[1] * 1000 + math.floor(time[2] / 1000), tonumber(ARGV[2])
if lasts > 0 then
  redis.call('ZADD', KEYS[1], now + lasts, ARGV[1])
  redis.call('PEXPIRE', KEYS[1], 2 * lasts)
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
-- After the server's clock was set back, ends lie further ahead than any sign-on lasts.
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if lasts > 0 then redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now + lasts * 10, '+inf') end
return {redis.call('ZCARD', KEYS[1]), tonumber(time[1]), tonumber(time[2])}
