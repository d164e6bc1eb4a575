-- How many are in flight, changing nothing.
-- KEYS[1+]  sorted sets, the highest class first: tokens by when their lease ends (microseconds)
-- Returns  for each of KEYS: how many leases have not ended, us until the last one ends
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local told = {}
for _, key in ipairs(KEYS) do
  local top = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')
  told[#told + 1] = redis.call('ZCOUNT', key, '(' .. string.format('%.0f', now), '+inf')
  told[#told + 1] = math.max((top[2] or now) - now, 0)
end
return told
