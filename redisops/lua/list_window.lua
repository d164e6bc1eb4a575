-- A window of a list, each element cut to a limit: Redis has no LRANGE that cuts.
-- KEYS[1]  list
-- ARGV[1]  first element, counted from 0 at the end that is read from   ARGV[2]  elements wanted
-- ARGV[3]  the end to read from, "head" or "tail"   ARGV[4]  bytes to keep of each element
-- ARGV[5]  bytes to keep in all   ARGV[6]  elements to fetch at a time
-- Returns  {length of the list, start 1, bytes 1, start 2, bytes 2, ...} from that end on
local key = KEYS[1]
local at, wanted, tail = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3] == 'tail'
local limit, budget, batch_size = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local answer = {redis.call('LLEN', key)}

while wanted > 0 and budget > 0 do
  local n = math.min(batch_size, wanted)
  local batch
  if tail then
    batch = redis.call('LRANGE', key, -(at + n), -(at + 1))
  else
    batch = redis.call('LRANGE', key, at, at + n - 1)
  end
  for i = 1, #batch do
    if budget <= 0 then break end
    local element = tail and batch[#batch + 1 - i] or batch[i]
    local start = string.sub(element, 1, limit)
    answer[#answer + 1] = start
    answer[#answer + 1] = #element
    budget = budget - #start
  end
  at, wanted = at + #batch, wanted - #batch
  if #batch < n then break end
end
return answer
