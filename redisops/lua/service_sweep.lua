-- Remove instances whose lease is over; keep them as suspects when too many stopped at once.
-- KEYS[1]  version   KEYS[2]  stream of events   KEYS[3]  leases   KEYS[4]  records
-- KEYS[5]  states   KEYS[6]  fences   KEYS[7]  suspects   KEYS[8]  ends of maintenance
-- KEYS[9]  check results   KEYS[10]  terms   KEYS[11]  the last look
-- ARGV[1]  channel   ARGV[2]  most at once   ARGV[3]  longest lease, ms
-- ARGV[4]  ms without a look after which nobody is judged for a while   ARGV[5]  that while, ms
-- ARGV[6]  "count" to judge nobody yet, "keep" when too many stopped in all services, "wait" when
--          too many may have, or empty
-- ARGV[7]  ms for which a lease that is over counts as one that stopped at the same time
-- Returns  {gone, suspects, recovered, ids whose maintenance is over, preserving 0|1,
--          holding 0|1, ms until the next lease ends or -1, leases, leases that are over,
--          those of them that stopped, those that went within a minute, those whose beat is late}
-- include: service_tell
-- include: service_restate
local time, most = redis.call('TIME'), tonumber(ARGV[2])
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('HMGET', KEYS[11], 'at', 'hold', 'lost', 'lost_at', 'went', 'went_at')
local total, longest = redis.call('ZCARD', KEYS[3]), tonumber(ARGV[3])
local at, hold = tonumber(seen[1] or '') or 0, tonumber(seen[2] or '') or 0
local gone, suspects = {}, {}
if total == 0 and at == 0 then return {gone, suspects, {}, {}, 0, 0, -1, 0, 0, 0, 0, 0} end
-- Nobody looked, or the clock was set: leases that are over say nothing about their instances.
if now - at > tonumber(ARGV[4]) or at > now + 1000 or hold > now + tonumber(ARGV[5]) then
  hold = now + tonumber(ARGV[5])
end
if now - at > 500 or at > now then redis.call('HSET', KEYS[11], 'at', now, 'hold', hold) end
if ARGV[6] == 'keep' then redis.call('HSET', KEYS[11], 'keep', now + 5000) end
local function term(name, default)
  return tonumber(redis.call('HGET', KEYS[10], name) or '') or default
end
local function say(id, event, from, to, why, suspect)
  tell(KEYS[1], KEYS[2], ARGV[1], now, id, event, from, to, why, suspect, '')
end
-- include: service_wake
local recovered = wake({KEYS[7], KEYS[3], KEYS[4]}, now, most, longest, say, restate)
-- include: service_over
local recent = now - tonumber(ARGV[7])
local ids, due, records, silent, stopped, lease, late, ttl_of =
  over({KEYS[3], KEYS[4]}, now, longest, most, time[2], recent, restate)
if hold > now then ids, stopped = {}, 0 end
local lost, lost_at = tonumber(seen[3] or '') or 0, tonumber(seen[4] or '') or 0
if now - lost_at > 60000 or lost_at > now then lost, lost_at = 0, now end
local went, went_at = tonumber(seen[5] or '') or 0, tonumber(seen[6] or '') or 0
if now - went_at > lease or went_at > now then went, went_at = 0, now end
local function too_many(n)
  return n > term('floor', 2) and n > (total + went) * term('share', 0.3)
end
-- Those who stopped together end one by one. While they would be too many with those who are late,
-- who ended is waited with, for a lease of its own.
local keeps = ARGV[6] == 'keep' or too_many(silent + went)
local waits = not keeps and (ARGV[6] == 'wait' or too_many(silent + went + late))
-- include: service_judge
if ARGV[6] ~= 'count' then
  local by = {now = now, keeps = keeps, waits = waits, recent = recent, ttl_of = ttl_of}
  by.patience = now - term('max_suspect', 86400) * 1000
  local alone = judge({KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]}, ids, records,
    by, gone, suspects, say, restate)
  lost, went = lost + alone, went + alone
  local all = {'lost', lost, 'lost_at', lost_at, 'went', went, 'went_at', went_at}
  if alone > 0 then redis.call('HSET', KEYS[11], unpack(all)) end
end
local resumed = redis.call('ZRANGEBYSCORE', KEYS[8], '-inf', now, 'LIMIT', 0, most)
local ends = redis.call('ZRANGEBYSCORE', KEYS[3], now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
return {gone, suspects, recovered, resumed, keeps and 1 or 0, hold > now and 1 or 0,
  ends and math.max(0, math.floor(ends - now)) or -1, total, due, stopped, lost, late}
