-- Let a hash's field expire, or never, if its value is still the one seen.
-- KEYS[1]  hash
-- ARGV[1]  "1" to compare only   ARGV[2]  field   ARGV[3]  bytes of the value as seen
-- ARGV[4]  where the bytes seen start   ARGV[5]  how many were seen   ARGV[6]  their SHA1 in hex
-- ARGV[7]  ms since 1970, "" for never
-- Returns  {"saved", the expiry it had (below 0: none)}, {"conflict", now}, {"absent"}, {"past"},
--          {"unable"} without expiry per field, {"type", type} or {"missing"}
local key, field, at = KEYS[1], ARGV[2], ARGV[7]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'hash' then return {'type', kind} end
local time = redis.call('TIME')
if at ~= '' and tonumber(at) <= time[1] * 1000 + math.floor(time[2] / 1000) then return {'past'} end
local now = redis.call('HGET', key, field)
if not now then return {'absent'} end
local part = string.sub(now, ARGV[4] + 1, ARGV[4] + ARGV[5])
if #now ~= tonumber(ARGV[3]) or redis.sha1hex(part) ~= ARGV[6] then
  local start = string.sub(now, 1, 1048576)
  return {'conflict', {string.sub(start, 1, 65536), #now, redis.sha1hex(start)}}
end
local had = redis.pcall('HPEXPIRETIME', key, 'FIELDS', 1, field)
if had.err then return string.find(had.err, 'Unknown') and {'unable'} or had end
if ARGV[1] ~= '1' then
  if at == '' then
    redis.call('HPERSIST', key, 'FIELDS', 1, field)
  else
    redis.call('HPEXPIREAT', key, at, 'FIELDS', 1, field)
  end
end
return {'saved', had[1]}
