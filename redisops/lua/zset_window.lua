-- A window of a sorted set by rank, each member cut to a limit: of the whole set, of a score
-- range, or of the page that holds a member. Only O(log N) steps whatever the rank.
-- KEYS[1]  sorted set
-- ARGV[1]  order, "asc" or "desc"   ARGV[2]  first row, counted from 0 in that order and range
-- ARGV[3]  rows wanted   ARGV[4]  lowest score, as ZCOUNT takes it   ARGV[5]  highest score
-- ARGV[6]  just below the lowest score, as ZCOUNT takes it, "" when there is no range
-- ARGV[7]  "1" to look for a member   ARGV[8]  that member
-- ARGV[9]  "1" for the longitude and latitude of each   ARGV[10] bytes to keep of each member
-- ARGV[11] bytes to keep in all
-- Returns  {members in the set, rank of the range's first member, members in range, first row,
--          rank of the member or nil, {start 1, bytes 1, score 1, ...} lowest rank first,
--          {{longitude, latitude} or nil for each} or nil}
local key, desc, first, wanted = KEYS[1], ARGV[1] == 'desc', tonumber(ARGV[2]), tonumber(ARGV[3])
local limit, budget = tonumber(ARGV[10]), tonumber(ARGV[11])
local size = redis.call('ZCARD', key)
local base, count, found = 0, size, false
if ARGV[6] ~= '' then
  base = redis.call('ZCOUNT', key, '-inf', ARGV[6])
  count = redis.call('ZCOUNT', key, ARGV[4], ARGV[5])
end
if ARGV[7] == '1' then
  found = redis.call('ZRANK', key, ARGV[8])
  if found and found >= base and found < base + count then
    local row = desc and base + count - 1 - found or found - base
    first = row - row % wanted
  end
end

local low, high = base + first, base + math.min(first + wanted, count) - 1
if desc then low, high = base + math.max(count - first - wanted, 0), base + count - 1 - first end
local rows, names = {}, {}
if low <= high and first < count then
  local batch = redis.call('ZRANGE', key, low, high, 'WITHSCORES')
  for i = 1, #batch, 2 do
    -- The budget shortens members further, it never drops a row: ranks stay without gaps.
    local start = string.sub(batch[i], 1, math.max(math.min(limit, budget), 0))
    names[#names + 1] = batch[i]
    rows[#rows + 1] = start
    rows[#rows + 1] = #batch[i]
    rows[#rows + 1] = batch[i + 1]
    budget = budget - #start
  end
end
local places = ARGV[9] == '1' and #names > 0 and redis.call('GEOPOS', key, unpack(names)) or false
return {size, base, count, first, found, rows, places}
