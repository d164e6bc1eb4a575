-- Count the members of a board by score, in buckets of one width between its finite ends.
-- KEYS[1]  sorted set: the board
-- ARGV[1]  buckets
-- Whole ends less than 20 apart for each bucket make its width a whole number, and fewer of them.
-- Returns  {members, members at -inf, members at +inf, lowest finite score, highest,
--          {members of bucket 1, ...}}; the scores "" and no buckets when no score is finite
local board, count = KEYS[1], tonumber(ARGV[1])
local size = redis.call('ZCARD', board)
local below = redis.call('ZCOUNT', board, '-inf', '-inf')
local above = redis.call('ZCOUNT', board, '+inf', '+inf')
local function finite(command, from, to)
  return redis.call(command, board, from, to, 'WITHSCORES', 'LIMIT', 0, 1)[2]
end
local low = finite('ZRANGEBYSCORE', '(-inf', '(+inf')
local high = finite('ZREVRANGEBYSCORE', '(+inf', '(-inf')
if not low then return {size, below, above, '', '', {}} end
local from, to, counts = tonumber(low), tonumber(high), {}
local step
if from == to then count = 1
elseif from % 1 == 0 and to % 1 == 0 and to - from < 20 * count then
  step = math.ceil((to - from + 1) / count)
  count = math.ceil((to - from + 1) / step)
end
local function edge(number)
  if number == 0 then return low end
  if step then return string.format('%.17g', from + step * number) end
  return string.format('%.17g', from * (1 - number / count) + to * (number / count))
end
for number = 1, count do
  local last = number == count and high or '(' .. edge(number)
  counts[number] = redis.call('ZCOUNT', board, edge(number - 1), last)
end
return {size, below, above, low, high, counts}
