-- Decide by several limits at once, all or nothing: if one denies, none is spent.
-- KEYS[1+] the limits' keys, each as its own script has it
-- ARGV[1]  cost, below 0 to look only
-- ARGV[2]  of each key 42 bytes: one for its script (1 fixed, 2 counter, 3 log, 4 bucket); one that
--          is 1, or 0 in shadow (counted while it allows, it never denies); doubles: a cost of its
--          own, or 0, and the two or four that its own script takes, filled up to four
-- ARGV[3]  now, us since 1970; left out by all but tests: the server's clock
-- Returns  {allowed 0|1, remaining, us until it would be allowed (-1 never), us until all is back}
--          of each key, one after the other
-- include: limit_fixed
-- include: limit_counter
-- include: limit_log
-- include: limit_bucket
-- include: limit_spend
local algorithms, keys, limits = {fixed, counter, log, bucket}, KEYS, ARGV[2]
local time = ARGV[3] and {0, ARGV[3]} or redis.call('TIME')
local now, cost = time[1] * 1000000 + time[2], tonumber(ARGV[1])
local take, granted = cost > 0, cost > 0
-- Room for three limits: a table that grows step by step costs as much as a command.
local replies = {nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil}
local spends = {nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil}
for n = 1, #keys do
  local at = 4 * n
  local kind, enforced, own, a, b, c, d = struct.unpack('>BBddddd', limits, 42 * n - 41)
  local mine = own > 0 and own or math.abs(cost)
  local allowed, left, retry, reset, after, value, first = algorithms[kind](
    keys[n], now, mine, take, a, b, c, d)
  replies[at - 3], replies[at - 2] = allowed and 1 or 0, left
  replies[at - 1], replies[at] = retry, reset
  spends[at - 3], spends[at - 2] = allowed and value, left - mine
  spends[at - 1], spends[at] = after, first
  granted = granted and (allowed or enforced == 0)
end
for at = 4, granted and 4 * #keys or 0, 4 do
  local value, after = spends[at - 3], spends[at - 1]
  if value then
    spend(keys[at / 4], value, after, spends[at])
    replies[at - 2], replies[at] = spends[at - 2], after
  end
end
return replies
