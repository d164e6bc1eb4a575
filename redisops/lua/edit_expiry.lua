-- Let a key expire, or never, if its expiry is still what was seen.
-- KEYS[1]  key of any type
-- ARGV[1]  "1" to compare only   ARGV[2]  ms since 1970, "" for never
-- ARGV[3]  the expiry as seen, "" for none, "any" for no guard   ARGV[4]  give or take, ms
-- ARGV[5]  type that it must have, "" for any
-- Returns  {"saved", expiry before (-1 none)}, {"conflict", now}, {"past"}, {"type", type} or
--          {"missing"}; now is {ms since 1970, bytes, SHA1}, nil without expiry
local key, at, seen = KEYS[1], ARGV[2], ARGV[3]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if ARGV[5] ~= '' and kind ~= ARGV[5] then return {'type', kind} end
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local now, slack = redis.pcall('PEXPIRETIME', key), tonumber(ARGV[4])
if type(now) == 'table' then -- before Redis 7 only the time left is to be had
  now = redis.call('PTTL', key)
  if now >= 0 then now, slack = clock + now, slack + 2 end
end
if seen ~= 'any' and not (seen == '' and now < 0)
  and (seen == '' or now < 0 or math.abs(now - tonumber(seen)) > slack) then
  local text = string.format('%.0f', now)
  return {'conflict', now >= 0 and {text, #text, redis.sha1hex(text)} or false}
end
if at ~= '' and tonumber(at) <= clock then return {'past'} end
if ARGV[1] == '1' then return {'saved', now} end
if at == '' then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, at) end
return {'saved', now}
