-- Add several boards up into one, if they are not too many members for one moment.
-- KEYS[1]  sorted set: the union, replaced   KEYS[2+] sorted sets: the boards
-- ARGV[1]  members of all boards together, at most   ARGV[2]  seconds to keep the union, "" for ever
-- ARGV[3]  of a member's scores, "SUM", "MIN" or "MAX"   ARGV[4+] a weight for each board
-- Returns  {members of the union, members of all boards}; {-1, members of all boards} when too many
local total, call = 0, {'ZUNIONSTORE', KEYS[1], #KEYS - 1}
for at = 2, #KEYS do
  total = total + redis.call('ZCARD', KEYS[at])
  call[#call + 1] = KEYS[at]
end
if total > ARGV[1] + 0 then return {-1, total} end
redis.call('ZCARD', KEYS[1]) -- refuses what is no sorted set: it would be replaced
call[#call + 1] = 'WEIGHTS'
for at = 4, #ARGV do call[#call + 1] = ARGV[at] end
call[#call + 1] = 'AGGREGATE'
call[#call + 1] = ARGV[3]
local size = redis.call(unpack(call))
if ARGV[2] ~= '' then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
return {size, total}
