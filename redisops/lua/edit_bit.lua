-- Set one bit of a string if it is still what was seen.
-- KEYS[1]  string
-- ARGV[1]  "1" to compare only   ARGV[2]  the bit's offset   ARGV[3]  new   ARGV[4]  as seen
-- Returns  {"saved", bytes before, bytes after}, {"conflict", {bit, 1, its SHA1}},
--          {"far"} beyond 1 MiB after the end, {"type", type} or {"missing"}
local key, offset = KEYS[1], tonumber(ARGV[2])
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'string' then return {'type', kind} end
local bytes = redis.call('STRLEN', key)
local now = tostring(redis.call('GETBIT', key, offset))
if now ~= ARGV[4] then return {'conflict', {now, 1, redis.sha1hex(now)}} end
local needed = math.max(bytes, math.floor(offset / 8) + 1)
if needed - bytes > 1048576 then return {'far'} end
if ARGV[1] ~= '1' then redis.call('SETBIT', key, offset, ARGV[3]) end
return {'saved', bytes, needed}
