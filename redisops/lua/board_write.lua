-- Write scores of a board, in their window alone, and say what they are now and where they rank.
-- KEYS[1]  sorted set: the board
-- KEYS[2]  hash: ":" and a member to the 8 bytes before its name in the board; "n" counts them
-- KEYS[3]  sorted set: each score once
-- KEYS[1+] all of these live until ARGV[7]; with ARGV[9] a string follows, the part written last
-- ARGV[1]  "set", "add", "best" or "remove"   ARGV[2]  the best score, "high" or "low"
-- ARGV[3]  "1" when the first of equals wins  ARGV[4]  "1" to keep each score once
-- ARGV[5]  the window's first second, "" for none   ARGV[6]  the first second after it
-- ARGV[7]  the second in which it expires, "" for never   ARGV[10+] member, score for each
-- ARGV[8]  tie rule of the ranks told, "dense", "competition" or "unique"; "" for no ranks
-- ARGV[9]  number of this part, "" to write it whatever was written; that is known for a day
-- Returns  {score 1, rank 1, ...}, rank 0 when not asked, score "" of who was not there to remove;
--          {"window", seconds, microseconds} when the server's clock is outside; {"done"}
if ARGV[5] ~= '' then
  local now = redis.call('TIME')
  if now[1] + 0 < ARGV[5] + 0 or now[1] + 0 >= ARGV[6] + 0 then return {'window', now[1], now[2]} end
end
local board, how, high, dense = KEYS[1], ARGV[1], ARGV[2] == 'high', ARGV[4] == '1'
local first, remove, told = ARGV[3] == '1', ARGV[1] == 'remove', {}
local function plain(score) return string.format('%.17g', tonumber(score) + 0) end
-- include: board_better
-- include: board_mark
local books = ARGV[9] == '' and #KEYS or #KEYS - 1
local function receipt(number) redis.call('SET', KEYS[#KEYS], number, 'EX', 86400) end
if ARGV[9] ~= '' then
  local last = redis.call('GET', KEYS[#KEYS]) or -1
  if last + 0 >= ARGV[9] + 0 then return {'done'} end -- this part, or a later one
  receipt(last) -- whoever may not write it is refused before a score is written
end
for at = 10, #ARGV, 2 do
  local member, score, rank = ARGV[at], ARGV[at + 1], 0
  local mark = first and redis.call('HGET', KEYS[2], ':' .. member)
  local name = (mark or '') .. member
  local there = mark or not first -- a name without its mark might be another's with one
  local old = there and (first or dense or remove) and redis.call('ZSCORE', board, name)
  if first and not old and not remove then name = mark_next(KEYS[2], high) .. member end
  if remove then
    if there then redis.call('ZREM', board, name) end
    if mark then redis.call('HDEL', KEYS[2], ':' .. member) end
    score = old or ''
  elseif how == 'set' then redis.call('ZADD', board, score, name)
  elseif how == 'add' then score = redis.call('ZINCRBY', board, score, name)
  else
    redis.call('ZADD', board, high and 'GT' or 'LT', score, name)
    score = redis.call('ZSCORE', board, name)
  end
  local moved = remove or not old or tonumber(old) ~= tonumber(score)
  if first and moved and not remove then
    if old then
      redis.call('ZREM', board, name)
      name = mark_next(KEYS[2], high) .. member
      redis.call('ZADD', board, score, name)
    end
    redis.call('HSET', KEYS[2], ':' .. member, string.sub(name, 1, 8))
  end
  if dense and moved and not remove then redis.call('ZADD', KEYS[3], score, plain(score)) end
  local left = dense and moved and old and redis.call('ZCOUNT', board, old, old)
  if left == 0 then redis.call('ZREM', KEYS[3], plain(old)) end
  if ARGV[8] == 'unique' then rank = redis.call(high and 'ZREVRANK' or 'ZRANK', board, name) + 1
  elseif ARGV[8] ~= '' then rank = better(ARGV[8] == 'dense' and KEYS[3] or board, score, high) + 1 end
  told[#told + 1], told[#told + 2] = score, rank
end
if ARGV[7] ~= '' then for at = 1, books do redis.call('EXPIREAT', KEYS[at], ARGV[7]) end end
if ARGV[9] ~= '' then receipt(ARGV[9]) end
return told
