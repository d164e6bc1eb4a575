-- Give a member of a board that keeps books a score, or take it off, if its score is still as seen.
-- KEYS[1]  sorted set: the board
-- KEYS[2]  hash: ":" and a member to the 8 bytes before its name in the board; "n" counts them
-- KEYS[3]  sorted set: each score once
-- ARGV[1]  "1" to compare only   ARGV[2]  member   ARGV[3]  score as seen, "" when it must be new
-- ARGV[4]  score, "" to take it off   ARGV[5]  the best score, "high" or "low"
-- ARGV[6]  "1" when the first of equals wins   ARGV[7]  "1" to keep each score once
-- ARGV[8]  the mark to give back to it, "" for a new one
-- ARGV[9]  expiry in ms since 1970 of a board that is made by it, "" for none
-- Returns  {"saved", before, after, mark before or "", expiry of a board that it emptied: -1 none};
--          nil for what is not; {"conflict", now}, {"exists", now}, {"absent"}, {"missing"} or
--          {"past"} or {"type", type}; a version is {score, bytes, SHA1}
local board, book, scores, member, seen = KEYS[1], KEYS[2], KEYS[3], ARGV[2], ARGV[3]
local first, dense, high = ARGV[6] == '1', ARGV[7] == '1', ARGV[5] == 'high'
local kind = redis.call('TYPE', board).ok
if kind == 'none' and seen ~= '' then return {'missing'} end
if kind ~= 'zset' and kind ~= 'none' then return {'type', kind} end
-- include: board_mark
local function version(score) return score and {score, #score, redis.sha1hex(score)} end
local function plain(score) return string.format('%.17g', tonumber(score) + 0) end
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
if kind == 'none' and ARGV[9] ~= '' and ARGV[9] + 0 <= clock then return {'past'} end
local function expiry()
  local at = redis.pcall('PEXPIRETIME', board)
  if type(at) ~= 'table' then return at end -- before Redis 7
  local left = redis.call('PTTL', board)
  return left < 0 and -1 or clock + left
end

local mark = first and redis.call('HGET', book, ':' .. member)
local name = (mark or '') .. member
local old = (mark or not first) and redis.call('ZSCORE', board, name)
if seen == '' and old then return {'exists', version(old)} end
if seen ~= '' and not old then return {'absent'} end
if old and tonumber(old) ~= tonumber(seen) then return {'conflict', version(old)} end
local score = ARGV[4] ~= '' and ARGV[4]
local gone = not score and redis.call('ZCARD', board) == 1 and expiry()
local told = {'saved', version(old), version(score), mark or '', gone}
if ARGV[1] == '1' or old and score and tonumber(old) == tonumber(score) then return told end

if first then
  if old then redis.call('ZREM', board, name) end
  if score then
    mark = ARGV[8] ~= '' and ARGV[8] or mark_next(book, high)
    name = mark .. member
    redis.call('HSET', book, ':' .. member, mark)
  else redis.call('HDEL', book, ':' .. member) end
end
if score then redis.call('ZADD', board, score, name) else redis.call('ZREM', board, name) end
if dense then
  if score then redis.call('ZADD', scores, score, plain(score)) end
  if old and redis.call('ZCOUNT', board, old, old) == 0 then redis.call('ZREM', scores, plain(old)) end
end
if kind == 'none' and ARGV[9] ~= '' then redis.call('PEXPIREAT', board, ARGV[9]) end
-- What lies beside a board lives as long as it does.
local at = expiry()
if at > 0 then redis.call('PEXPIREAT', book, at) end
if at > 0 then redis.call('PEXPIREAT', scores, at) end
if score then told[3] = version(redis.call('ZSCORE', board, name)) end
return told
