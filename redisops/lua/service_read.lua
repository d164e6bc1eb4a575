-- Read all instances of a service at one version.
-- KEYS[1]  version   KEYS[2]  epoch   KEYS[3]  records
-- ARGV[1]  most instances
-- Returns  {epoch, version, now in ms, records}
local count = redis.call('HLEN', KEYS[3])
if count > tonumber(ARGV[1]) then
  return redis.error_reply('TOOMANY ' .. count .. ' instances are more than ' .. ARGV[1])
end
local time = redis.call('TIME')
return {redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[1]) or '0',
  time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HVALS', KEYS[3])}
