-- The first consumers of a stream's group, because XINFO CONSUMERS knows no limit.
-- KEYS[1]  stream
-- ARGV[1]  group   ARGV[2]  consumers at most
-- Returns  rows of XINFO CONSUMERS
local rows = redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])
local first = {}
for i = 1, math.min(#rows, tonumber(ARGV[2])) do first[i] = rows[i] end
return first
