-- Members of a geo set inside a circle, each cut to a limit, nearest first. It stops at the
-- number wanted, wherever those happen to be, so that a wide circle costs no more.
-- KEYS[1]  sorted set filled by GEOADD
-- ARGV[1]  longitude, degrees   ARGV[2]  latitude, degrees   ARGV[3]  radius, metres
-- ARGV[4]  members wanted   ARGV[5]  bytes to keep of each member
-- Returns  {members in the set, start 1, bytes 1, metres 1, score 1, longitude 1, latitude 1, ...}
local key, limit = KEYS[1], tonumber(ARGV[5])
local found = redis.call('GEOSEARCH', key, 'FROMLONLAT', ARGV[1], ARGV[2], 'BYRADIUS', ARGV[3], 'm',
  'ASC', 'COUNT', ARGV[4], 'ANY', 'WITHDIST', 'WITHHASH', 'WITHCOORD')
local answer = {redis.call('ZCARD', key)}
for _, row in ipairs(found) do
  answer[#answer + 1] = string.sub(row[1], 1, limit)
  answer[#answer + 1] = #row[1]
  answer[#answer + 1] = row[2]
  answer[#answer + 1] = row[3]
  answer[#answer + 1] = row[4][1]
  answer[#answer + 1] = row[4][2]
end
return answer
