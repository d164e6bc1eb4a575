-- Give a member of a sorted set a score or a place, or remove it, if its score is still as seen.
-- KEYS[1]  sorted set
-- ARGV[1]  "1" to compare only   ARGV[2]  "score", "place" or "remove"   ARGV[3]  member
-- ARGV[4]  score as seen, "" when the member must not be there
-- ARGV[5..9]  1 to make the key, its expiry in ms since 1970 or "", score, longitude, latitude
-- Returns  {"saved", before, after} or, of a removal, {"saved", before, the key's expiry when it
--          went (-1 none)}; nil for what is not; {"conflict", now}, {"exists", now}, {"absent"},
--          {"past"}, {"type", type} or {"missing"}; a version is {score, bytes, SHA1}
local key, operation, member, seen = KEYS[1], ARGV[2], ARGV[3], ARGV[4]
local expires, dry = ARGV[6] or '', ARGV[1] == '1'
local kind = redis.call('TYPE', key).ok
if kind == 'none' and ARGV[5] ~= '1' then return {'missing'} end
if kind ~= 'zset' and kind ~= 'none' then return {'type', kind} end
local function version()
  local score = redis.call('ZSCORE', key, member)
  return score and {score, #score, redis.sha1hex(score)}
end
local now = version()
if seen == '' and now then return {'exists', now} end
if seen ~= '' and not now then return {'absent'} end
if seen ~= '' and tonumber(now[1]) ~= tonumber(seen) then return {'conflict', now} end
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
if operation == 'remove' then
  local gone = false
  if redis.call('ZCARD', key) == 1 then
    gone = redis.pcall('PEXPIRETIME', key)
    if type(gone) == 'table' then -- before Redis 7
      local left = redis.call('PTTL', key)
      gone = left < 0 and -1 or clock + left
    end
  end
  if not dry then redis.call('ZREM', key, member) end
  return {'saved', now, gone}
end
if tonumber(expires) and tonumber(expires) <= clock then return {'past'} end
if dry then return {'saved', now, {ARGV[7], #ARGV[7], redis.sha1hex(ARGV[7])}} end
if operation == 'place' then
  redis.call('GEOADD', key, ARGV[8], ARGV[9], member)
else
  redis.call('ZADD', key, ARGV[7], member)
end
if expires ~= '' then redis.call('PEXPIREAT', key, expires) end
return {'saved', now, version()}
