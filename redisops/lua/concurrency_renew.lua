-- Prolong a lease that has not ended; one that has is not taken again.
-- KEYS[1]  sorted set: tokens by when their lease ends (microseconds, server clock)
-- ARGV[1]  token      ARGV[2]  lease, microseconds from now
-- Returns  1 prolonged, 0 when it has ended or was given up
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) <= now then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
if redis.call('PTTL', KEYS[1]) < ARGV[2] / 1000 then
  redis.call('PEXPIRE', KEYS[1], math.ceil(ARGV[2] / 1000))
end
return 1
