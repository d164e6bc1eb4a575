-- Invalidate all entries that carry a mark, whatever their number; entries are not touched.
-- KEYS[1]  sorted set: marks by the number of their invalidation, "floor" the least of all
-- KEYS[2]  string: the number of the last invalidation, 8 bytes
-- ARGV[1]  most marks that are kept: beyond them the oldest are forgotten, and older entries go
-- ARGV[2]  channel that is told      ARGV[3+]  marks; "*" is all of the namespace
-- Returns  the number of this invalidation in decimal
local time, known = redis.call('TIME'), redis.pcall('GET', KEYS[2])
local seq, floor = time[1] * 1000000 + time[2], redis.pcall('ZSCORE', KEYS[1], 'floor')
local is_known = type(known) == 'string' and #known == 8
if is_known then seq = math.max(struct.unpack('>d', known) + 1, seq) end
local score = string.format('%.0f', seq)
redis.call('UNLINK', KEYS[2]) -- full memory does not refuse this, nor then the writes behind it
if ARGV[3] == '*' or not is_known or type(floor) ~= 'string' then
  redis.call('UNLINK', KEYS[1])
  redis.call('ZADD', KEYS[1], score, 'floor')
else
  for place = 3, #ARGV do redis.call('ZADD', KEYS[1], score, ARGV[place]) end
  local extra = redis.call('ZCARD', KEYS[1]) - 1 - ARGV[1]
  if extra > 0 then
    local gone = redis.call('ZPOPMIN', KEYS[1], extra + 1) -- the floor is the lowest
    redis.call('ZADD', KEYS[1], gone[#gone], 'floor')
  end
end
redis.call('SET', KEYS[2], struct.pack('>d', seq))
redis.pcall('PUBLISH', ARGV[2], '')
return score
