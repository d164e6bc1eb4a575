-- Take a session into its principal's list, unless there are enough of them already.
-- KEYS[1]  sorted set: handles by when they expire (milliseconds)
-- KEYS[2]  set: handles that have to end to make room, until whoever asked has ended them
-- ARGV[1]  scores at or below this are over           ARGV[2]  the new one's score
-- ARGV[3]  the new one's handle                       ARGV[4]  the handle it replaces, or ""
-- ARGV[5]  most sessions of a principal               ARGV[6]  "refuse" or "end"
-- ARGV[7]  time to live of both keys, milliseconds    ARGV[8]  most handles to name at once
-- Returns  {1, handle, handle ...}: taken in, end these now; {0}: refused
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[1])
local is_known = redis.call('ZSCORE', KEYS[1], ARGV[3]) or redis.call('ZSCORE', KEYS[1], ARGV[4])
local over = redis.call('ZCARD', KEYS[1]) - tonumber(ARGV[5])
if not is_known then
  over = over + 1
end
if over > 0 and ARGV[6] == 'refuse' then
  return {0}
end
redis.call('ZREM', KEYS[1], ARGV[3], ARGV[4])
-- Those that were seen the longest ago. They stay named until they are ended: a caller that dies
-- before it got there leaves them to the next one.
for at = 1, math.min(over, tonumber(ARGV[8])) do
  local oldest = redis.call('ZPOPMIN', KEYS[1])
  if oldest[1] then
    redis.call('SADD', KEYS[2], oldest[1])
  end
end
-- Those that never were there stay named: not more of them than of a few turns.
while redis.call('SCARD', KEYS[2]) > 2 * ARGV[8] do
  redis.call('SPOP', KEYS[2])
end
redis.call('SREM', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[7])
redis.call('PEXPIRE', KEYS[2], ARGV[7])
local due = redis.call('SRANDMEMBER', KEYS[2], ARGV[8])
return {1, unpack(due)}
