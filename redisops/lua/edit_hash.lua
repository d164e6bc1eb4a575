-- Set or delete a field whose value is still the one seen. A field keeps its own expiry.
-- KEYS[1]  hash
-- ARGV[1]  "1" to compare only   ARGV[2]  "set" or "delete"   ARGV[3]  field
-- ARGV[4]  bytes of the value as seen, "" when the field must not be there
-- ARGV[5]  where the bytes seen start   ARGV[6]  how many were seen   ARGV[7]  their SHA1 in hex
-- ARGV[8..11]  value, the field's expiry in ms since 1970 or "", 1 to make the key, its expiry or ""
-- Returns  {"saved", before, the field's expiry, the key's when it went with it (-1 none)}, nil for
--          what is not; {"conflict", now}, {"exists", now}, {"absent"}, {"past"}, {"type", type} or
--          {"missing"}; a version is {first MiB, bytes, SHA1 of the first MiB}
local key, operation, field = KEYS[1], ARGV[2], ARGV[3]
local at, expires = ARGV[9] or '', ARGV[11] or ''
local kind = redis.call('TYPE', key).ok
if kind == 'none' and ARGV[10] ~= '1' then return {'missing'} end
if kind ~= 'hash' and kind ~= 'none' then return {'type', kind} end
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(at) and tonumber(at) <= clock or tonumber(expires) and tonumber(expires) <= clock then
  return {'past'}
end
local now = redis.call('HGET', key, field)
local start = now and string.sub(now, 1, 1048576)
local version = now and {start, #now, redis.sha1hex(start)}
if ARGV[4] == '' and now then return {'exists', version} end
if ARGV[4] ~= '' then
  if not now then return {'absent'} end
  local part = string.sub(now, ARGV[5] + 1, ARGV[5] + ARGV[6])
  if #now ~= tonumber(ARGV[4]) or redis.sha1hex(part) ~= ARGV[7] then return {'conflict', version} end
end

local had, gone = false, false
if now then
  local reply = redis.pcall('HPEXPIRETIME', key, 'FIELDS', 1, field)
  -- A server without expiry per field does not know the command, and has none to keep.
  if reply.err and not string.find(reply.err, 'Unknown') then return reply end
  if not reply.err and reply[1] > 0 then had = reply[1] end
end
if operation == 'delete' then
  if redis.call('HLEN', key) == 1 then
    gone = redis.pcall('PEXPIRETIME', key)
    if type(gone) == 'table' then -- before Redis 7
      local left = redis.call('PTTL', key)
      gone = left < 0 and -1 or clock + left
    end
  end
  if ARGV[1] ~= '1' then redis.call('HDEL', key, field) end
  return {'saved', version, had, gone}
end
if ARGV[1] == '1' then return {'saved', version, had, gone} end
redis.call('HSET', key, field, ARGV[8])
local failed = {}
if at ~= '' or had then
  failed = redis.pcall('HPEXPIREAT', key, at ~= '' and at or had, 'FIELDS', 1, field)
end
if not failed.err and expires ~= '' then redis.call('PEXPIREAT', key, expires) end
if failed.err then -- leave nothing half done
  if now then redis.call('HSET', key, field, now) else redis.call('HDEL', key, field) end
  if string.find(failed.err, 'Unknown') then return {'unable'} end
  return failed
end
return {'saved', version, had, gone}
