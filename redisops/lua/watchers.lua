-- Say that one is there for a while, and hear who else is, by the server's clock.
-- KEYS[1]  sorted set of those who are there, by the end of their word in ms
-- ARGV[1]  who   ARGV[2]  for how long, ms; 0 to leave
-- Returns  who is there
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(ARGV[2]) > 0 then
  redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. now)
  -- Ends of a clock that was set back since: nobody's word is good for more than a day.
  redis.call('ZREMRANGEBYSCORE', KEYS[1], now + 86400000, '+inf')
  redis.call('PEXPIRE', KEYS[1], 86400000)
else
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return redis.call('ZRANGEBYSCORE', KEYS[1], now, '+inf', 'LIMIT', 0, 1000)
