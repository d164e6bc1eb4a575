-- Seal fields of a session anew, as far as nobody has written them since they were read.
-- KEYS[1]  hash: the session
-- ARGV[1+] field, how its sealed value began when it was read, the same sealed anew ...
-- Returns  how many were sealed anew
local count = 0
for at = 1, #ARGV, 3 do
  local now = redis.call('HGET', KEYS[1], ARGV[at])
  if now and string.sub(now, 1, #ARGV[at + 1]) == ARGV[at + 1] then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 2])
    count = count + 1
  end
end
return count
