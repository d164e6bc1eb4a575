-- How many members of a board, or of its book of scores, are better than a score.
-- KEYS[1]  sorted set   ARGV[1]  the score   ARGV[2]  the best score, "high" or "low"
-- Returns  how many
local function better(key, score, high)
  if high then return redis.call('ZCOUNT', key, '(' .. score, '+inf') end
  return redis.call('ZCOUNT', key, '-inf', '(' .. score)
end
return better(KEYS[1], ARGV[1], ARGV[2] == 'high')
