-- The number of the last invalidation, begun at the server's time in microseconds.
-- KEYS[1]  sorted set: marks by the number of their invalidation, "floor" the least of all
-- KEYS[2]  string: the number, 8 bytes; made when it is not there, which ends all older entries
-- Returns  the number in decimal
local function stamp_of(versions, number)
  local seq = redis.pcall('GET', number)
  if type(seq) == 'string' and #seq == 8 then return struct.unpack('>d', seq) end
  local time = redis.call('TIME')
  seq = time[1] * 1000000 + time[2]
  redis.call('UNLINK', versions)
  redis.call('ZADD', versions, string.format('%.0f', seq), 'floor')
  redis.call('SET', number, struct.pack('>d', seq))
  return seq
end
return string.format('%.0f', stamp_of(KEYS[1], KEYS[2]))
