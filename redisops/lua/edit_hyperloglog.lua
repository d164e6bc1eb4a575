-- Count more elements in a HyperLogLog.
-- KEYS[1]  string that holds a HyperLogLog
-- ARGV[1]  "1" to compare only   ARGV[2+]  elements
-- Returns  {"saved", estimate before, estimate after}, {"plain"} for another string,
--          {"type", type} or {"missing"}
local key = KEYS[1]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'string' then return {'type', kind} end
if redis.call('GETRANGE', key, 0, 3) ~= 'HYLL' then return {'plain'} end
local before = redis.call('PFCOUNT', key)
if ARGV[1] == '1' then return {'saved', before, before} end
redis.call('PFADD', key, unpack(ARGV, 2))
return {'saved', before, redis.call('PFCOUNT', key)}
