-- End a lease now or shortly, unless it has ended and is somebody else's by now.
-- KEYS[1]  string: the holder's token
-- ARGV[1]  our token      ARGV[2]  milliseconds that it shall last from now, 0 to end it now
-- Returns  1 when it was ours, 0 otherwise
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
    return 0
end
if tonumber(ARGV[2]) > 0 then
    return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return redis.call('DEL', KEYS[1])
