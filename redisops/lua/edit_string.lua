-- Change a string that is still as it was seen: replace it, add to its end, or cut it.
-- KEYS[1]  string
-- ARGV[1]  "1" to compare only   ARGV[2]  "set", "append" or "cut"
-- ARGV[3]  bytes of the whole as seen   ARGV[4]  where the bytes seen start
-- ARGV[5]  how many were seen   ARGV[6]  their SHA1 in hex
-- ARGV[7]  the new value, the bytes to add, or the bytes to keep
-- ARGV[8]  "set": 1 to keep the expiry
-- Returns  {"saved", before, after (nil in a dry run)}, {"conflict", now}, {"type", type} or {"missing"};
--          a version is {first 64 KiB, bytes, SHA1 of the first MiB}
local key, operation, value = KEYS[1], ARGV[2], ARGV[7]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'string' then return {'type', kind} end

local function part(from, bytes)
  if bytes < 1 then return '' end
  return redis.call('GETRANGE', key, from, from + bytes - 1)
end
local function version()
  local start = part(0, 1048576)
  return {string.sub(start, 1, 65536), redis.call('STRLEN', key), redis.sha1hex(start)}
end

if redis.call('STRLEN', key) ~= tonumber(ARGV[3])
  or redis.sha1hex(part(tonumber(ARGV[4]), tonumber(ARGV[5]))) ~= ARGV[6] then
  return {'conflict', version()}
end
local before = version()
if ARGV[1] == '1' then return {'saved', before, false} end
if operation == 'append' then
  redis.call('APPEND', key, value)
elseif operation == 'cut' then
  redis.call('SET', key, part(0, tonumber(value)), 'KEEPTTL')
elseif ARGV[8] == '1' then
  redis.call('SET', key, value, 'KEEPTTL')
else
  redis.call('SET', key, value)
end
return {'saved', before, version()}
