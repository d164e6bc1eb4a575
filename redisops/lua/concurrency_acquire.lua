-- Take a place among those in flight, unless those of the caller's class or of one above are taken.
-- KEYS[1+]  sorted sets, the highest class first: tokens by when their lease ends (microseconds,
--           server clock); a token ends in ":" and the microseconds that its lease lasts
-- ARGV[1]  token, asked again after a lost reply it is the same place     ARGV[2]  lease, microseconds
-- ARGV[3]  which of KEYS is the caller's class, from 1
-- ARGV[4]  1 to take a place even when none is free, else 0
-- ARGV[5+]  for each of KEYS: places that its class and those below it may take together
-- Returns  {1 taken or 0, the class whose places are all taken or 0, places left, how many are
--          in flight in that class (or the caller's) and below, us to the first end, to the last}
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local mine, lease = tonumber(ARGV[3]), tonumber(ARGV[2])
local last = now

-- Forget the leases that ended; how many are left. A clock set back takes them back with it, as
-- nothing may end later than its own lease lasts.
local function tidied(key)
  local top = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  if #top == 0 then return 0 end
  local ahead = top[2] - now - (tonumber(string.match(top[1], ':(%d+)$')) or math.huge)
  if ahead > 0 then
    local all = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    for at = 1, #all, 2 do redis.call('ZADD', key, all[at + 1] - ahead, all[at]) end
    top[2] = top[2] - ahead
  end
  last = math.max(last, tonumber(top[2]))
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  return redis.call('ZCARD', key)
end

local held, blocked, below = {}, 0, 0
for class = #KEYS, 1, -1 do
  below = below + tidied(KEYS[class])
  held[class] = below
end
local known = redis.call('ZSCORE', KEYS[mine], ARGV[1])
for class = 1, mine do
  if not known and held[class] >= tonumber(ARGV[4 + class]) then blocked = class end
end

local told = blocked > 0 and blocked or mine
local first = now + lease
for class = told, #KEYS do
  local lowest = redis.call('ZRANGE', KEYS[class], 0, 0, 'WITHSCORES')
  if lowest[2] then first = math.min(first, tonumber(lowest[2])) end
end
local taken = (blocked == 0 or ARGV[4] == '1') and 1 or 0
if taken == 1 then
  redis.call('ZADD', KEYS[mine], now + lease, ARGV[1])
  if redis.call('PTTL', KEYS[mine]) < lease / 1000 then
    redis.call('PEXPIRE', KEYS[mine], math.ceil(lease / 1000))
  end
  last = math.max(last, now + lease)
end
local added, left = (taken == 1 and not known) and 1 or 0, math.huge
for class = 1, mine do
  left = math.min(left, ARGV[4 + class] - held[class] - added)
end
return {taken, blocked, math.max(left, 0), held[told] + added, first - now, last - now}
