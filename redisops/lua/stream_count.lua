-- Count the entries between two ids, as far as that costs little.
-- KEYS[1]  stream
-- ARGV[1]  first id of the range   ARGV[2]  last id   ARGV[3]  entries to count at most
-- ARGV[4]  bytes of entries to go through at most, about: ten more entries may be read
-- Returns  {entries counted, 1 when it stopped at a limit and not at the end of the range}
local first, most, budget = ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local found, size = 0, 10

while found < most and budget > 0 do
  local n = math.min(size, most - found)
  local batch = redis.call('XRANGE', KEYS[1], first, ARGV[2], 'COUNT', n)
  found = found + #batch
  if #batch < n then return {found, 0} end
  local bytes = 0
  for _, entry in ipairs(batch) do
    for _, part in ipairs(entry[2]) do bytes = bytes + #part + 16 end
  end
  budget = budget - bytes
  size = bytes < 100000 and 100 or 10 -- large entries few at a time
  first = '(' .. batch[#batch][1]
end
return {found, 1}
