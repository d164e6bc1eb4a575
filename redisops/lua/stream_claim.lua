-- Take over entries of a group that nobody has worked on for a while.
-- KEYS[1]  stream
-- ARGV[1]  group   ARGV[2]  consumer   ARGV[3]  idle time from which they are taken, milliseconds
-- ARGV[4]  id to begin at   ARGV[5]  how many at most
-- Returns  {id to go on at ("0-0" at the end), {{id, fields, deliveries} ...}}
local reply = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4],
  'COUNT', ARGV[5])
local taken = {}
for _, entry in ipairs(reply[2]) do
  if entry and entry[2] then
    local one = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)[1]
    taken[#taken + 1] = {entry[1], entry[2], one and one[4] or 1}
  end
end
return {reply[1], taken}
