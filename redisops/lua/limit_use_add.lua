-- Add what was counted of one policy in one minute: per second, and who it was, bounded.
-- KEYS[1]  string: 180 unsigned 32-bit counters, for each second allowed, denied, shadow
-- KEYS[2]  string: the same for each minute of the hour
-- KEYS[3+]  three hashes, the minute's allowed, denied, shadow: ":" and a subject to "count error";
--          "floor": the most a subject not listed was sent; "missed": the most not sent of one
-- ARGV[1..3]  seconds to keep KEYS[1], KEYS[2] and the hashes      ARGV[4]  subjects listed at most
-- ARGV[5]  the minute of the hour      ARGV[6]  how many counters follow
-- ARGV[7+]  second * 3 + outcome (0..2), count, for each counter; then for each subject outcome,
--           ":" and subject, count; subject "missed" adds to that
-- Returns  {server's seconds, microseconds}
local seconds, minutes, sums = {'OVERFLOW', 'SAT'}, {'OVERFLOW', 'SAT'}, {}
local from = 7 + 2 * ARGV[6]
local function plus(list, at, count)
  for _, word in ipairs({'INCRBY', 'u32', '#' .. at, count}) do table.insert(list, word) end
end
for at = 7, from - 1, 2 do
  plus(seconds, ARGV[at], ARGV[at + 1])
  local outcome = ARGV[at] % 3
  sums[outcome] = (sums[outcome] or 0) + ARGV[at + 1]
end
for outcome, sum in pairs(sums) do plus(minutes, ARGV[5] * 3 + outcome, sum) end
for level, list in ipairs({seconds, minutes}) do
  if #list > 2 then
    redis.call('BITFIELD', KEYS[level], unpack(list))
    redis.call('EXPIRE', KEYS[level], ARGV[level])
  end
end

-- Space-saving, many at once: who is not listed may have had as much as the last that fell off.
local function add(key, given)
  local all, rows, most, floor = redis.call('HGETALL', key), {}, tonumber(ARGV[4]), 0
  for at = 1, #all, 2 do
    local count, wrong = string.match(all[at + 1], '^(%d+) (%d+)$')
    if all[at] == 'floor' then floor = all[at + 1] + 0 end
    if count then
      rows[#rows + 1] = {all[at], count + (given[all[at]] or 0), wrong, 'listed', given[all[at]]}
      given[all[at]] = nil
    end
  end
  for subject, count in pairs(given) do
    rows[#rows + 1] = {subject, count + floor, floor, false, count}
  end
  table.sort(rows, function(one, other) return one[2] > other[2] end)
  for place, row in ipairs(rows) do
    if place > most and row[4] then
      redis.call('HDEL', key, row[1])
    elseif place <= most and row[5] then
      redis.call('HSET', key, row[1], string.format('%.0f %.0f', row[2], row[3]))
    end
  end
  if rows[most + 1] then redis.call('HSET', key, 'floor', math.max(floor, rows[most + 1][2])) end
end

local told = {{}, {}, {}}
for at = from, #ARGV, 3 do told[ARGV[at] + 1][ARGV[at + 1]] = ARGV[at + 2] end
for outcome, given in ipairs(told) do
  local key = KEYS[2 + outcome]
  if next(given) then
    redis.call('HINCRBY', key, 'missed', given.missed or 0)
    given.missed = nil
    add(key, given)
    redis.call('EXPIRE', key, ARGV[3])
  end
end
return redis.call('TIME')
