-- Add what one process counted of a namespace in the last seconds.
-- KEYS[1]  hash of an hour: "minute:figure" to a number      KEYS[2]  hash of a day: "hour:figure"
-- ARGV[1]  minute of the hour      ARGV[2]  hour of the day
-- ARGV[3]  seconds to keep KEYS[1]   ARGV[4]  seconds to keep KEYS[2]      ARGV[5+]  figure, number
-- Returns  how many figures were added
for at = 5, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[1] .. ':' .. ARGV[at], ARGV[at + 1])
  redis.call('HINCRBY', KEYS[2], ARGV[2] .. ':' .. ARGV[at], ARGV[at + 1])
end
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return (#ARGV - 4) / 2
