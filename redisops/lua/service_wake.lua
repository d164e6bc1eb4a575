-- Suspects that beat again are none any more; leases that end too far ahead end sooner. A part of
-- service_sweep.
-- KEYS[1]  suspects   KEYS[2]  leases   KEYS[3]  records
-- ARGV[1]  now, ms since 1970   ARGV[2]  most at once   ARGV[3]  longest lease, ms
-- Returns  the ids of those who beat again
local function wake(keys, now, most, longest, say, restate)
  local far = now + longest -- of leases that were given before the clock was set back
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', keys[2], '(' .. far, '+inf', 'LIMIT', 0, most)) do
    redis.call('ZADD', keys[2], far, id)
  end
  local recovered = {}
  for _, id in ipairs(redis.call('SRANDMEMBER', keys[1], most)) do
    local lease = tonumber(redis.call('ZSCORE', keys[2], id) or '')
    if not lease or lease >= now then
      redis.call('SREM', keys[1], id)
      local there = lease and restate(keys[3], id, '', now, '0', '')
      if there and there[2] == '1' then
        recovered[#recovered + 1] = id
        say(id, 'service_changed', there[1], there[1], 'it beats again', '0')
      end
    end
  end
  return recovered
end
local nobody = function() end
return wake({KEYS[1], KEYS[2], KEYS[3]}, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), nobody, nobody)
