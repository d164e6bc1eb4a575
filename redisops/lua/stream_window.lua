-- A window of a stream, each field and value cut to a limit, with the stream's facts and groups.
-- KEYS[1]  stream
-- ARGV[1]  command, "XRANGE" or "XREVRANGE"   ARGV[2]  first id of the range   ARGV[3]  last id
-- ARGV[4]  entries wanted   ARGV[5]  bytes to keep of each field or value
-- ARGV[6]  bytes to keep in all   ARGV[7]  entries to fetch at a time   ARGV[8]  groups at most
-- Returns  {XINFO STREAM as name, value, ... with ids for its entries,
--          {id 1, fields in it, {field, bytes, value, bytes, ...}, ...} in the command's order,
--          XINFO GROUPS, or nil when there are more than the most,
--          1 when it stopped at a limit and not at the end of the range}
local key, command, first, last = KEYS[1], ARGV[1], ARGV[2], ARGV[3]
local wanted, limit, budget = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local batch_size, rows = tonumber(ARGV[7]), {}

local info, groups = redis.call('XINFO', 'STREAM', key), false
for i = 1, #info, 2 do
  local name, value = info[i], info[i + 1]
  if name == 'first-entry' or name == 'last-entry' then info[i + 1] = value and value[1] end
  if name == 'groups' and value <= tonumber(ARGV[8]) then
    groups = redis.call('XINFO', 'GROUPS', key)
  end
end

while wanted > 0 and budget > 0 do
  local n = math.min(batch_size, wanted)
  local low, high = first, last
  if command == 'XREVRANGE' then low, high = last, first end
  local batch = redis.call(command, key, low, high, 'COUNT', n)
  for _, entry in ipairs(batch) do
    if budget <= 0 then break end
    local parts = {}
    for i, part in ipairs(entry[2]) do
      if budget <= 0 and i % 2 == 1 then break end
      local start = string.sub(part, 1, limit)
      parts[#parts + 1] = start
      parts[#parts + 1] = #part
      budget = budget - #start - 16
    end
    rows[#rows + 1] = entry[1]
    rows[#rows + 1] = #entry[2] / 2
    rows[#rows + 1] = parts
  end
  wanted = wanted - #batch
  if #batch < n then break end
  if command == 'XRANGE' then first = '(' .. batch[#batch][1] else last = '(' .. batch[#batch][1] end
end
return {info, rows, groups, (wanted <= 0 or budget <= 0) and 1 or 0}
