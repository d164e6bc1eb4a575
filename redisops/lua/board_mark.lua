-- The 8 bytes before a member's name that sort it behind all who reached the same score before.
-- KEYS[1]  hash: "n" counts the marks given   ARGV[1]  the best score, "high" or "low"
-- Returns  the mark; the scores of a board stay what they are
local function mark_next(book, high)
  local count = redis.call('HINCRBY', book, 'n', 1)
  if high then count = 9007199254740991 - count end
  return struct.pack('>I4I4', math.floor(count / 4294967296), count % 4294967296)
end
return mark_next(KEYS[1], ARGV[1] == 'high')
