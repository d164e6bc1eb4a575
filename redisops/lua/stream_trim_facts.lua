-- What a trim would take from a stream, looked at within a bound and without sending any entry.
-- KEYS[1]  stream
-- ARGV[1]  "length" or "id"   ARGV[2]  entries to keep, or the lowest id to keep
-- ARGV[3]  entries to look at, at most   ARGV[4]  entries at a time   ARGV[5]  groups at most
-- Returns  {length, entries that would go or -1 when that was not counted to the end,
--          first id that would stay or "" when there is none or it was not reached,
--          {XINFO GROUPS of one, its pending entries that would go or -1}, ...}
local key, how, most, batch = KEYS[1], ARGV[1], tonumber(ARGV[3]), tonumber(ARGV[4])
local length = redis.call('XLEN', key)

local function walk(command, from, to, wanted)
  local seen, last = 0, ''
  while seen < wanted do
    local rows = redis.call(command, key, from, to, 'COUNT', math.min(batch, wanted - seen))
    if #rows == 0 then break end
    seen, last = seen + #rows, rows[#rows][1]
    from = '(' .. last
  end
  return seen, last
end

local going, stays, _ = -1, '', nil
if how == 'length' then
  local keep = tonumber(ARGV[2])
  going = math.max(length - keep, 0)
  if keep > 0 and going == 0 then
    _, stays = walk('XRANGE', '-', '+', 1)
  elseif keep > 0 and going < most then
    _, stays = walk('XRANGE', '-', '+', going + 1)
  elseif keep > 0 and keep <= most then
    _, stays = walk('XREVRANGE', '+', '-', keep)
  end
else
  local first = redis.call('XRANGE', key, ARGV[2], '+', 'COUNT', 1)[1]
  if not first then
    going = length
  else
    stays = first[1]
    local seen = walk('XRANGE', '-', '(' .. stays, most)
    if seen < most then going = seen end
  end
end

local groups = {}
for n, row in ipairs(redis.call('XINFO', 'GROUPS', key)) do
  if n > tonumber(ARGV[5]) then break end
  local name, pending, lost = '', 0, -1
  for i = 1, #row, 2 do
    if row[i] == 'name' then name = row[i + 1] end
    if row[i] == 'pending' then pending = row[i + 1] end
  end
  if pending == 0 or going == 0 then
    lost = 0
  elseif going == length then
    lost = pending
  elseif stays ~= '' then
    local found = redis.call('XPENDING', key, name, '-', '(' .. stays, most)
    if #found < most then lost = #found end
  end
  groups[n] = {row, lost}
end
return {length, going, stays, unpack(groups)}
