-- Add a member to a set, or remove one.
-- KEYS[1]  set
-- ARGV[1]  "1" to compare only   ARGV[2]  "add" or "remove"   ARGV[3]  member
-- ARGV[4..5]  1 to make the key, its expiry in ms since 1970 or ""
-- Returns  {"saved", the key's expiry when it went with the member (-1 none), else nil}, {"past"},
--          {"exists", {start, bytes, SHA1}}, {"absent"}, {"type", type} or {"missing"}
local key, member, expires, dry = KEYS[1], ARGV[3], ARGV[5] or '', ARGV[1] == '1'
local kind = redis.call('TYPE', key).ok
if kind == 'none' and ARGV[4] ~= '1' then return {'missing'} end
if kind ~= 'set' and kind ~= 'none' then return {'type', kind} end
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local there = redis.call('SISMEMBER', key, member) == 1
if ARGV[2] == 'add' then
  if there then
    local start = string.sub(member, 1, 1048576)
    return {'exists', {string.sub(start, 1, 65536), #member, redis.sha1hex(start)}}
  end
  if tonumber(expires) and tonumber(expires) <= clock then return {'past'} end
  if not dry then
    redis.call('SADD', key, member)
    if expires ~= '' then redis.call('PEXPIREAT', key, expires) end
  end
  return {'saved', false}
end
if not there then return {'absent'} end
local gone = false
if redis.call('SCARD', key) == 1 then
  gone = redis.pcall('PEXPIRETIME', key)
  if type(gone) == 'table' then -- before Redis 7
    local left = redis.call('PTTL', key)
    gone = left < 0 and -1 or clock + left
  end
end
if not dry then redis.call('SREM', key, member) end
return {'saved', gone}
