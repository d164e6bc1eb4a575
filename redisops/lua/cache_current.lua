-- Whether a cached entry still is what the numbers of its marks allow; anything else is not ours.
-- KEYS[1]  string: an entry      KEYS[2]  sorted set: marks by the number of their invalidation
-- KEYS[3]  string: the number of the last invalidation, 8 bytes; written into a current entry that
--          has an older one, so that its next reader sees by GET alone that it is current
-- Returns  1, or 0 when a tag, prefix or the whole namespace was invalidated since its load began
local function is_current(data, entry, versions, number)
  -- 193, flags, stamp (8), check (4), life, stale and load time (4 each), size of marks (2), marks
  if #data < 28 or string.byte(data) ~= 193 then return true end -- the reader sees what it is
  local own, seq = string.sub(data, 3, 10), redis.pcall('GET', number)
  if own == seq then return true end
  if type(seq) ~= 'string' or #seq ~= 8 then return false end -- evicted: nobody knows
  local stamp, last = struct.unpack('>d', own), struct.unpack('>d', seq)
  if last < stamp then return false end -- of a time before a flush
  local marks, at, stop = {'floor'}, 29, 28 + struct.unpack('>H', string.sub(data, 27, 28))
  if stop > #data then return true end
  while at <= stop and #marks < 64 do
    local length = string.byte(data, at)
    marks[#marks + 1] = string.sub(data, at + 1, at + length)
    at = at + 1 + length
  end
  local seen = redis.pcall('ZMSCORE', versions, unpack(marks))
  if seen.err or not seen[1] then return false end
  for place = 1, #marks do
    if seen[place] and tonumber(seen[place]) > stamp then return false end
  end
  local time = redis.call('TIME')
  if time[1] * 1000000 + time[2] - last > 100000 then -- not while one end follows the other
    redis.pcall('SETRANGE', entry, 2, seq) -- refused: the next reader asks here as well
  end
  return true
end
return is_current(redis.call('GET', KEYS[1]) or '', KEYS[1], KEYS[2], KEYS[3]) and 1 or 0
