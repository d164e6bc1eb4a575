-- Keep entries that a consumer still has: show that it is at work on them, or take them once more.
-- KEYS[1]  stream
-- ARGV[1]  group   ARGV[2]  consumer
-- ARGV[3]  mode: "hold" (idle 0, not delivered again), "again" (delivered once more, with fields),
-- "release" (idle as long as ARGV[4], so that others may take them; delivered once less)
-- ARGV[4]  idle time for "release", milliseconds
-- ARGV[5+] entry ids
-- Returns  those that the consumer had: ids, or {id, fields, deliveries} for "again"
local group, consumer, mode, idle = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local kept = {}
for at = 5, #ARGV do
  local id = ARGV[at]
  local one = redis.call('XPENDING', KEYS[1], group, id, id, 1, consumer)[1]
  if one and mode == 'again' then
    local entry = redis.call('XCLAIM', KEYS[1], group, consumer, 0, id)[1]
    if entry and entry[2] then
      kept[#kept + 1] = {id, entry[2], one[4] + 1}
    else
      redis.call('XACK', KEYS[1], group, id) -- deleted from the stream: nothing is left to do
    end
  elseif one and mode == 'release' then
    redis.call('XCLAIM', KEYS[1], group, consumer, 0, id, 'IDLE', idle,
      'RETRYCOUNT', math.max(0, one[4] - 1), 'JUSTID')
    kept[#kept + 1] = id
  elseif one then
    redis.call('XCLAIM', KEYS[1], group, consumer, 0, id, 'JUSTID')
    kept[#kept + 1] = id
  end
end
return kept
