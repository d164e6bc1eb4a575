-- Register an instance, or register it again, by the server's clock; the later process wins.
-- KEYS[1]  version   KEYS[2]  stream of events   KEYS[3]  leases   KEYS[4]  records
-- KEYS[5]  states   KEYS[6]  fences   KEYS[7]  epoch   KEYS[8]  the instance's own hash
-- ARGV[1]  channel   ARGV[2]  instance   ARGV[3]  lease, ms   ARGV[4]  JSON   ARGV[5]  state
-- ARGV[6]  fence of this process, 0 the first time   ARGV[7]  epoch, if there is none yet
-- ARGV[8]  why   ARGV[9+]  fields and values of the hash
-- Returns  {"registered" | "replaced", fence, state, epoch, version, now in ms}
-- include: service_tell
local time, id = redis.call('TIME'), ARGV[2]
local micros = time[1] * 1000000 + time[2]
local now, ttl, fence = math.floor(micros / 1000), tonumber(ARGV[3]), tonumber(ARGV[6])
local known = tonumber(redis.call('HGET', KEYS[6], id) or '0') or 0
local lease = tonumber(redis.call('ZSCORE', KEYS[3], id) or '0')
local record = redis.call('HGET', KEYS[4], id) or ''
local state, since, suspect, weight, before, json =
  string.match(record, '^1 %S+ (%l+) (%d+) ([01]) (%S+) (%d+)\n(.*)$')
if known > 9e15 then known = 0 end
if fence > 0 and known > fence and lease >= now then
  return {'replaced', string.format('%.0f', known), state or '', '', 0, now}
end
if fence == 0 then fence = math.max(micros, known + 1) end
local same = state and tonumber(before) == fence
local to = ARGV[5]
if state == 'maintenance' or same then to = state end -- what was decided survives a restart
if not state or to ~= state then since = string.format('%.0f', now) end
fence = string.format('%.0f', fence)
redis.call('SET', KEYS[7], ARGV[7], 'NX')
local after = table.concat({'1', id, to, since, '0', weight or '-', fence}, ' ') .. '\n' .. ARGV[4]
if not state or to ~= state or json ~= ARGV[4] or suspect == '1' or not same then
  local up = state and state ~= 'passing' and state ~= 'warning' and to == 'passing'
  tell(KEYS[1], KEYS[2], ARGV[1], now, id,
    not state and 'service_registered' or up and 'service_up' or 'service_changed',
    state or 'none', to, ARGV[8], '0', after)
  redis.call('HSET', KEYS[4], id, after)
end
redis.call('ZADD', KEYS[3], now + ttl, id)
redis.call('HSET', KEYS[6], id, fence)
if not same then redis.call('HDEL', KEYS[5], id) end
redis.call('DEL', KEYS[8])
redis.call('HSET', KEYS[8], 'status', to, 'fence', fence, unpack(ARGV, 9))
redis.call('PEXPIRE', KEYS[8], ttl)
return {'registered', fence, to, redis.call('GET', KEYS[7]), redis.call('GET', KEYS[1]) or '0', now}
