-- Keep the last results of checks, and how long they took, of the instances that are registered.
-- KEYS[1]  check results   KEYS[2]  records   KEYS[3]  rings: how long the last checks took
-- ARGV[1]  slots of a ring   ARGV[2]  ms of its shortest slot
-- ARGV[3+]  an instance, its result, when in ms, ms of its slot (0 to leave its ring), how long as
--           a code from 0 to 255 (0 not known, 255 failed); and so on
-- Returns  how many were kept
local most, least, kept = tonumber(ARGV[1]), tonumber(ARGV[2]), 0
local function turned(ring, at, width, code)
  local _, last, step
  if ring and #ring > 10 and #ring <= 10 + most and string.byte(ring) == 1 then
    _, last, step = struct.unpack('>BI6I3', ring)
  end
  -- Where checks are rarer than the shortest slot, each has one of its own.
  local ahead = last and math.floor((at - last) / width + (width > least and 0.5 or 0))
  if step ~= width or ahead < -2 or ahead > most then
    return struct.pack('>BI6I3', 1, at, width) .. string.char(code)
  elseif ahead <= 0 then
    return string.sub(ring, 1, -2) .. string.char(math.max(string.byte(ring, -1), code))
  end
  local codes = string.sub(ring, 11) .. string.rep('\0', ahead - 1) .. string.char(code)
  local place = width > least and at or last + ahead * width
  return struct.pack('>BI6I3', 1, place, width) .. string.sub(codes, -most)
end
for n = 3, #ARGV, 5 do
  local id = ARGV[n]
  if redis.call('HEXISTS', KEYS[2], id) == 1 then
    redis.call('HSET', KEYS[1], id, ARGV[n + 1])
    local at, width = tonumber(ARGV[n + 2]), tonumber(ARGV[n + 3])
    if width > 0 then
      local ring = redis.call('HGET', KEYS[3], id)
      redis.call('HSET', KEYS[3], id, turned(ring, at, width, tonumber(ARGV[n + 4])))
    end
    kept = kept + 1
  end
end
if kept > 0 then redis.call('PEXPIRE', KEYS[3], 86400000) end
-- Rings of those who left go by and by: they are for people, and bring nobody back.
if redis.call('HLEN', KEYS[3]) > redis.call('HLEN', KEYS[2]) then
  for _, id in ipairs(redis.call('HRANDFIELD', KEYS[3], 20)) do
    if redis.call('HEXISTS', KEYS[2], id) == 0 then redis.call('HDEL', KEYS[3], id) end
  end
end
return kept
