-- Judge an instance by one check: so many in a row turn it, and more of them while it flaps.
-- KEYS[1]  version   KEYS[2]  stream of events   KEYS[3]  records   KEYS[4]  states
-- KEYS[5]  terms   KEYS[6]  the instance's own hash
-- ARGV[1]  channel   ARGV[2]  instance   ARGV[3]  pass, warn, fail or refused   ARGV[4]  why
-- ARGV[5]  fence of the process that was checked, 0 for any
-- Returns  {state, 1 if it changed, flapping 0|1|4} or {"none", 0, 0}
-- include: service_tell
-- include: service_restate
local id, result = ARGV[2], ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local there = restate(KEYS[3], id, '', now, '', '')
if not there or (ARGV[5] ~= '0' and there[3] ~= ARGV[5]) then return {'none', 0, 0} end
local was, state = redis.call('HGET', KEYS[4], id) or '', there[1]
local ok, bad, flips, at, begun = string.match(was, '^(%d+) (%d+) ([%d.]+) (%d+) (%d+)$')
ok, bad, flips = tonumber(ok) or 0, tonumber(bad) or 0, tonumber(flips) or 0
at, begun = tonumber(at) or now, tonumber(begun) or now
local function term(name, default)
  return tonumber(redis.call('HGET', KEYS[5], name) or '') or default
end
local function flap(n)
  local left = n * 0.5 ^ (math.max(0, now - at) / 300000)
  return left >= 5.5 and 4 or left >= 3.5 and 1 or 0
end
local rise, fall = term('rise', 2) * (1 + flap(flips)), term('fall', 3)
local failed = result == 'fail' or result == 'refused'
if failed then
  ok, bad = 0, math.min(bad + (result == 'refused' and 2 or 1), 1000)
else
  ok, bad = math.min(ok + 1, math.max(rise, 2)), 0
end
local to, up = state, state == 'passing' or state == 'warning'
if state == 'starting' and failed and now - begun < term('start_period', 60) * 1000 then
  bad = 0
elseif up or state == 'starting' or state == 'critical' then -- the others were decided by somebody
  if failed then
    if bad >= fall then to = 'critical' end
  elseif up or ok >= rise then
    to = result == 'warn' and 'warning' or 'passing'
  end
end
if to ~= state then
  local after_up = to == 'passing' or to == 'warning'
  if to == 'critical' or state == 'critical' then
    flips = flips * 0.5 ^ (math.max(0, now - at) / 300000) + 1
    at = now
  end
  local why = (flap(flips) > 0 and 'flapping: ' or '') .. ARGV[4]
  tell(KEYS[1], KEYS[2], ARGV[1], now, id, after_up and not up and 'service_up'
    or to == 'critical' and 'service_down' or 'service_changed', state, to, why, there[2], '')
  restate(KEYS[3], id, to, now, '', '')
  if redis.call('EXISTS', KEYS[6]) == 1 then redis.call('HSET', KEYS[6], 'status', to) end
end
local is = string.format('%d %d %.3f %.0f %.0f', ok, bad, flips, at, begun)
if is ~= was then redis.call('HSET', KEYS[4], id, is) end
return {to, to == state and 0 or 1, flap(flips)}
