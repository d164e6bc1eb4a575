-- Find those whose lease is over, and count those who may be about to: who beats thrice in a lease
-- and has little of it left missed a beat. A part of service_sweep.
-- KEYS[1]  leases   KEYS[2]  records
-- ARGV[1]  now, ms since 1970   ARGV[2]  longest lease, ms   ARGV[3]  most at once
-- Returns  {some of them and when each ended, how many there are, records by id, silent, those of
--          them that ended lately, a lease in ms, late}, and the function that finds a lease
local function over(keys, now, longest, most, seed, recent, restate)
  local due = redis.call('ZCOUNT', keys[1], '-inf', '(' .. now)
  local first = due > most and seed % due or 0 -- of too many, each look begins elsewhere
  local ids = due > 0 and redis.call('ZRANGEBYSCORE', keys[1], '-inf', '(' .. now, 'WITHSCORES',
    'LIMIT', first, most) or {}
  local function ttl_of(json) -- of a record that is none: the shortest there is
    local said = tonumber(string.match(string.sub(json, -24), '"ttl":([%d.]+)}$') or '') or 0.2
    return math.min(said * 1000, longest)
  end
  local records, stopped, silent, lease = {}, 0, 0, nil
  for n = 1, #ids, 2 do
    local there = restate(keys[2], ids[n], '', now, '', '')
    records[ids[n]] = there or false
    if there and string.find('starting passing warning', there[1], 1, true) then
      silent = silent + 1
      if tonumber(ids[n + 1]) > recent then stopped = stopped + 1 end
      lease = math.min(lease or math.huge, ttl_of(there[4]))
    end
  end
  local nearest = redis.call('ZRANGEBYSCORE', keys[1], now, '+inf', 'LIMIT', 0, 1)[1]
  if nearest and not lease then
    local record = redis.call('HGET', keys[2], nearest)
    lease = record and ttl_of(record)
  end
  local late = lease and redis.call('ZCOUNT', keys[1], now, now + 0.6 * lease) or 0
  local of = due > most and #ids > 0 and due / (#ids / 2) or 1
  return ids, due, records, math.floor(silent * of), math.floor(stopped * of), lease or 0, late, ttl_of
end
local nothing = function() end
local found = {over({KEYS[1], KEYS[2]}, tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), 0, 0, nothing)}
return {unpack(found, 1, 7)}
