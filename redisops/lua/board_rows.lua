-- Rows of a board with what their ranks need: by place, around a member, of a range of scores, or
-- the one at a share of all. Only O(log N) steps and the rows, whatever the place.
-- KEYS[1]  sorted set: the board
-- KEYS[2]  hash: ":" and a member to the 8 bytes before its name in the board, for first-wins
-- KEYS[3]  sorted set: each score once, for dense ranks
-- ARGV[1]  the best score, "high" or "low"   ARGV[2]  "1" when the first of equals wins
-- ARGV[3]  tie rule, "dense", "competition" or "unique"
-- ARGV[4]  what, "place", "member", "score" or "share"
-- ARGV[5]  first place from 0; neighbours; rows of the range to skip; share of all from the top
-- ARGV[6]  rows wanted   ARGV[7]  the member, or the lowest score   ARGV[8]  the highest score
-- Returns  {members, place of the first row, members better than it, scores better than its (-1:
--          unknown),
--          {member 1, score 1, ...}}; {members} when there is no such row
local board, high, from = KEYS[1], ARGV[1] == 'high', tonumber(ARGV[5])
local size = redis.call('ZCARD', board)
local first, last
-- include: board_better

if ARGV[4] == 'place' then
  first, last = from, from + ARGV[6] - 1
elseif ARGV[4] == 'member' then
  local member = ARGV[7]
  if ARGV[2] == '1' then
    local mark = redis.call('HGET', KEYS[2], ':' .. member)
    if not mark then return {size} end
    member = mark .. member
  end
  local place = redis.call(high and 'ZREVRANK' or 'ZRANK', board, member)
  if not place then return {size} end
  first, last = math.max(place - from, 0), place + from
elseif ARGV[4] == 'score' then
  local ahead = better(board, high and ARGV[8] or ARGV[7], high)
  local all = redis.call('ZCOUNT', board, ARGV[7], ARGV[8])
  first = ahead + from
  last = ahead + math.min(from + ARGV[6], all) - 1
else
  first = math.min(math.floor(size * from), size - 1)
  last = first
end
if first > last or first >= size or first < 0 then return {size} end

local rows = redis.call(high and 'ZREVRANGE' or 'ZRANGE', board, first, last, 'WITHSCORES')
local members, scores = first, 0
if ARGV[3] ~= 'unique' then members = better(board, rows[2], high) end
if ARGV[3] == 'dense' then
  -- A set that others write has no book of its scores, or not the right one.
  local known = redis.call('ZCOUNT', KEYS[3], rows[2], rows[2]) > 0
  scores = known and better(KEYS[3], rows[2], high) or -1
end
return {size, first, members, scores, rows}
