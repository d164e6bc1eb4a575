-- Count a visible change of a service, write it to its stream and announce it.
-- KEYS[1]  the version   KEYS[2]  the stream of events
-- ARGV[1]  the channel   ARGV[2]  now, ms since 1970   ARGV[3]  the instance   ARGV[4]  the event
-- ARGV[5]  state before   ARGV[6]  state after   ARGV[7]  why   ARGV[8]  suspect 0|1
-- ARGV[9]  the record that it brings, may be empty
-- Returns  the version that this change made
local function tell(version, events, channel, now, id, event, from, to, why, suspect, record)
  local v = redis.call('INCR', version)
  local at = string.format('%.0f', now)
  -- A lost announcement is noticed by its version; a broken stream costs history, not the service.
  redis.pcall('XADD', events, 'MAXLEN', '~', 10000, '*', 'v', v, 'event', event, 'id', id,
    'from', from, 'to', to, 'why', why, 'at', at, 'suspect', suspect)
  local said = {v = v, event = event, id = id, from = from, to = to, at = at}
  said.why, said.suspect, said.record = why, suspect, record
  redis.pcall('PUBLISH', channel, cjson.encode(said))
  return v
end
return tell(KEYS[1], KEYS[2], ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6],
  ARGV[7], ARGV[8], ARGV[9])
