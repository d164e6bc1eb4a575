-- The first consumers of a group with their oldest pending entry, and a window of what is pending.
-- KEYS[1]  stream
-- ARGV[1]  group   ARGV[2]  consumers at most   ARGV[3]  bytes to keep of a consumer's name
-- ARGV[4]  first id of the window   ARGV[5]  entries of the window at most
-- ARGV[6]  "1" when only one consumer's are wanted   ARGV[7]  that consumer
-- Returns  {{XINFO CONSUMERS of one with its name cut, bytes of the whole name,
--           XPENDING of its oldest without the consumer, or nil}, ...}, how many consumers there are,
--          {names in the window, cut}, {id, place of its name, idle ms, deliveries, ...}}
local key, group, most, bytes = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local consumers, names, place, rows = {}, {}, {}, {}

local found = redis.call('XINFO', 'CONSUMERS', key, group)
for n = 1, math.min(#found, most) do
  local row, whole, pending = found[n], '', 0
  for i = 1, #row, 2 do
    if row[i] == 'name' then
      whole = row[i + 1]
      row[i + 1] = string.sub(whole, 1, bytes)
    elseif row[i] == 'pending' then
      pending = row[i + 1]
    end
  end
  local oldest = pending > 0 and redis.call('XPENDING', key, group, '-', '+', 1, whole)[1]
  consumers[n] = {row, #whole, oldest and {oldest[1], oldest[3], oldest[4]} or false}
end

local window
if ARGV[6] == '1' then
  window = redis.call('XPENDING', key, group, ARGV[4], '+', ARGV[5], ARGV[7])
else
  window = redis.call('XPENDING', key, group, ARGV[4], '+', ARGV[5])
end
for _, row in ipairs(window) do
  local at = place[row[2]]
  if not at then
    at = #names + 1
    place[row[2]] = at
    names[at] = string.sub(row[2], 1, bytes)
  end
  rows[#rows + 1] = row[1]
  rows[#rows + 1] = at
  rows[#rows + 1] = row[3]
  rows[#rows + 1] = row[4]
end
return {consumers, #found, names, rows}
