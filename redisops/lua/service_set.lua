-- Put an instance into a state that somebody decided on, or give it another weight.
-- KEYS[1]  version   KEYS[2]  stream of events   KEYS[3]  records   KEYS[4]  states
-- KEYS[5]  ends of maintenance   KEYS[6]  the instance's own hash
-- ARGV[1]  channel   ARGV[2]  instance
-- ARGV[3]  state, "resume", "over" to resume after the end of maintenance, or empty to keep it
-- ARGV[4]  weight, "-" for its own, empty to keep it   ARGV[5]  ms until it is over, 0 for never
-- ARGV[6]  why   ARGV[7]  fence of the process, 0 for any
-- Returns  {"changed" | "same" | "none" | "replaced", state}
-- include: service_tell
-- include: service_restate
local id, to, weight, lasts = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('HGET', KEYS[3], id)
local there = restate(KEYS[3], id, '', now, '', '')
if not there then return {'none', ''} end
local state = there[1]
if ARGV[7] ~= '0' and ARGV[7] ~= there[3] then return {'replaced', state} end
if to == 'over' then
  local over = tonumber(redis.call('ZSCORE', KEYS[5], id) or '')
  if not over or over > now then return {'same', state} end
  to = 'resume'
end
if to == 'resume' then
  to = state
  if state == 'draining' or state == 'maintenance' then
    to = string.find(there[4], '"check":null', 1, true) and 'passing' or 'starting'
  end
end
restate(KEYS[3], id, to, now, '', weight)
if to ~= '' then
  redis.call('ZREM', KEYS[5], id)
  if lasts > 0 and to == 'maintenance' then redis.call('ZADD', KEYS[5], now + lasts, id) end
else
  to = state
end
local after = redis.call('HGET', KEYS[3], id)
if after == before then return {'same', state} end
if to ~= state then
  redis.call('HDEL', KEYS[4], id)
  if redis.call('EXISTS', KEYS[6]) == 1 then redis.call('HSET', KEYS[6], 'status', to) end
end
local up = to == 'passing' and state ~= 'warning' and state ~= 'passing'
tell(KEYS[1], KEYS[2], ARGV[1], now, id, up and 'service_up' or 'service_changed', state, to,
  ARGV[6], there[2], after)
return {'changed', to}
