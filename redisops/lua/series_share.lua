-- Keep what one saw of a step of a series beside what others saw of it, as one entry.
-- KEYS[1]  stream of the finest rows: an id is the step's time
-- ARGV[1]  the step, ms since 1970   ARGV[2]  the row: a head of 5 bytes, then floats of 4
-- ARGV[3]  how each figure folds, a letter each: e a mean, a the highest, s a sum
-- ARGV[4]  which figure, from 1, is the weight of means   ARGV[5]  about how many rows stay
-- Returns  the id of the entry
local at, folds, weight = tonumber(ARGV[1]), ARGV[3], tonumber(ARGV[4])
local function unpacked(row)
  local found = {}
  for n = 1, #folds do
    local value = struct.unpack('<f', row, 2 + 4 * n)
    found[n] = value == value and value or false
  end
  return found
end
local function kept(id, row)
  return redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[5], id, 'v', row)
end
local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local step, turn, there = 0, 0, nil
if last then
  step, turn = string.match(last[1], '^(%d+)-(%d+)$')
  there = last[2][1] == 'v' and #last[2][2] == #ARGV[2] and last[2][2]
end
if not last or tonumber(step) < at then return kept(ARGV[1] .. '-0', ARGV[2]) end
local row, mine = ARGV[2], unpacked(ARGV[2])
if there then
  local theirs, whole = unpacked(there), {}
  local a, b = theirs[weight] or 0, mine[weight] or 0
  for n = 1, #folds do
    local how, x, y = string.sub(folds, n, n), theirs[n], mine[n]
    if not x or not y then
      whole[n] = x or y or 0 / 0
    else
      whole[n] = how == 'a' and math.max(x, y) or how == 's' and x + y
        or a + b > 0 and (x * a + y * b) / (a + b) or x
    end
  end
  row = string.sub(row, 1, 5)
  for n = 1, #folds do row = row .. struct.pack('<f', whole[n]) end
end
redis.call('XDEL', KEYS[1], last[1])
return kept(step .. '-' .. string.format('%d', tonumber(turn) + 1), row)
