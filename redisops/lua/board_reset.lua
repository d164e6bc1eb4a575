-- Take a board away in one moment: keep it whole under another name, or not at all.
-- KEYS[1]  sorted set: the board
-- KEYS[1+] the board and what lies beside it, then as many names to keep them under
-- ARGV[1]  the window's first second, "" for none   ARGV[2]  the first second after it
-- ARGV[3]  the best score, "high" or "low"   ARGV[4]  rows of the top wanted
-- ARGV[5]  "1" to keep it   ARGV[6]  seconds to keep it for, "" for ever
-- Returns  {members, {member 1, score 1, ...}}; {"exists"} when there is something under the other
--          name; {"window", seconds, microseconds} when the server's clock is outside the window
if ARGV[1] ~= '' then
  local now = redis.call('TIME')
  local outside = now[1] + 0 < ARGV[1] + 0 or now[1] + 0 >= ARGV[2] + 0
  if outside then return {'window', now[1], now[2]} end
end
local board, count, keep = KEYS[1], #KEYS / 2, ARGV[5] == '1'
local size, top = redis.call('ZCARD', board), {}
if keep and redis.call('EXISTS', KEYS[count + 1]) == 1 then return {'exists'} end
if ARGV[4] + 0 > 0 then
  local range = ARGV[3] == 'high' and 'ZREVRANGE' or 'ZRANGE'
  top = redis.call(range, board, 0, ARGV[4] - 1, 'WITHSCORES')
end
for at = 1, count do
  local other = KEYS[count + at]
  if not keep then
    redis.call('UNLINK', KEYS[at])
  elseif redis.call('EXISTS', KEYS[at]) == 1 then
    redis.call('RENAME', KEYS[at], other)
    if ARGV[6] == '' then
      redis.call('PERSIST', other)
    else
      redis.call('EXPIRE', other, ARGV[6])
    end
  end
end
return {size, top}
