-- Change a list at an index whose element is still the one seen, or push to an end.
-- KEYS[1]  list
-- ARGV[1]  "1" to compare only   ARGV[2]  "head" or "tail" (push), "set", "remove" or "insert"
-- ARGV[3]  index, from -1 downwards from the tail
-- ARGV[4]  bytes of the element as seen, "" for none there (insert at the tail)
-- ARGV[5]  where the bytes seen start   ARGV[6]  how many were seen   ARGV[7]  their SHA1 in hex
-- ARGV[8]  element   ARGV[9..11]  1 to make the key, its expiry in ms since 1970 or "", a random word
-- Returns  {"saved", before, index, the key's expiry when it went (-1 none), the next element}, nil
--          for what is not; {"conflict", now}, {"absent"}, {"past"}, {"type", type} or {"missing"}
local key, operation, element, expires = KEYS[1], ARGV[2], ARGV[8], ARGV[10] or ''
local dry, word = ARGV[1] == '1', ARGV[11]
local kind = redis.call('TYPE', key).ok
if kind == 'none' and ARGV[9] ~= '1' then return {'missing'} end
if kind ~= 'list' and kind ~= 'none' then return {'type', kind} end
local length, index = redis.call('LLEN', key), tonumber(ARGV[3])
if operation == 'head' or operation == 'tail' then
  if not dry then redis.call(operation == 'head' and 'LPUSH' or 'RPUSH', key, element) end
  return {'saved', false, operation == 'head' and 0 or length, false, false}
end

if index < 0 then index = length + index end
if index < 0 then return {'absent'} end
local now = redis.call('LINDEX', key, index)
local start = now and string.sub(now, 1, 1048576)
local version = now and {start, #now, redis.sha1hex(start)}
local part = now and string.sub(now, ARGV[5] + 1, ARGV[5] + ARGV[6])
if ARGV[4] == '' then
  if now or index ~= length then return {'conflict', version} end
elseif not now then
  return {'absent'}
elseif #now ~= tonumber(ARGV[4]) or redis.sha1hex(part) ~= ARGV[7] then
  return {'conflict', version}
end
local time, gone, failed = redis.call('TIME'), false, {}
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
if tonumber(expires) and tonumber(expires) <= clock then return {'past'} end
local after = redis.call('LINDEX', key, index + 1)
if operation == 'remove' and length == 1 then
  gone = redis.pcall('PEXPIRETIME', key)
  if type(gone) == 'table' then -- before Redis 7
    local left = redis.call('PTTL', key)
    gone = left < 0 and -1 or clock + left
  end
end
if dry then return {'saved', version, index, gone, after} end
if operation == 'set' then redis.call('LSET', key, index, element) end
if operation == 'remove' and (index == 0 or index == length - 1) then
  redis.call(index == 0 and 'LPOP' or 'RPOP', key)
elseif operation == 'insert' and (index == 0 or index == length) then
  redis.call(index == length and 'RPUSH' or 'LPUSH', key, element)
  if expires ~= '' then redis.call('PEXPIREAT', key, expires) end
elseif operation ~= 'set' then -- a word that no element is stands at the place for a moment
  redis.call('LSET', key, index, word)
  if operation == 'remove' then
    failed = redis.pcall('LREM', key, index * 2 < length and 1 or -1, word)
  else
    failed = redis.pcall('LINSERT', key, 'BEFORE', word, element)
  end
  failed = type(failed) == 'table' and failed or {}
  if operation == 'insert' or failed.err then
    redis.call('LSET', key, failed.err and index or index + 1, now)
  end
end
return failed.err and failed or {'saved', version, index, gone, after}
