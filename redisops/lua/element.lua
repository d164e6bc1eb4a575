-- One element of a key, its start if it is larger than a limit, with the key's type and expiry.
-- KEYS[1]  any key
-- ARGV[1]  what: key, string, hash, list, set, zset, bit, stream, json or vectorset
-- ARGV[2]  which: field, index, member, bit, id, path or element; "" for a string
-- ARGV[3]  bytes at most of the data
-- Returns  {type, ms left or -1, server time in ms, start of the data or nil when it is absent,
--          bytes of all the data, ms left of a field or -1}
local key, what, which, most = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local kind = redis.call('TYPE', key).ok
local wanted = {bit = 'string', json = 'ReJSON-RL'}
local clock = redis.call('TIME')
local now = string.format('%d%03d', clock[1], math.floor(clock[2] / 1000))
local answer = {kind, redis.call('PTTL', key), now, false, 0, -1}
if kind ~= (wanted[what] or what) then return answer end

local data, length = false, nil
if what == 'string' then
  data = redis.call('GETRANGE', key, 0, most - 1)
  length = redis.call('STRLEN', key)
elseif what == 'hash' then
  data = redis.call('HGET', key, which)
  local left = redis.pcall('HPTTL', key, 'FIELDS', '1', which)
  if not left.err then answer[6] = left[1] end
elseif what == 'list' then
  data = redis.call('LINDEX', key, which)
elseif what == 'set' then
  data = redis.call('SISMEMBER', key, which) == 1 and '' or false
elseif what == 'zset' then
  data = redis.call('ZSCORE', key, which)
elseif what == 'bit' then
  data = tostring(redis.call('GETBIT', key, which))
elseif what == 'stream' then
  local rows = redis.call('XRANGE', key, which, which)
  data = rows[1] and cjson.encode(rows[1][2]) or false
elseif what == 'json' then
  data = redis.call('JSON.GET', key, which)
elseif what == 'vectorset' and redis.call('VISMEMBER', key, which) == 1 then
  data = redis.call('VGETATTR', key, which) or ''
end
if data then
  answer[4] = string.sub(data, 1, most)
  answer[5] = length or #data
end
return answer
