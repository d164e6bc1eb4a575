-- Write the document of policies and announce it, unless a newer version is there.
-- KEYS[1]  the document, JSON that begins {"format":F,"version":V
-- ARGV[1]  its version   ARGV[2]  the document   ARGV[3]  the channel that announces it
-- Returns  {"published", subscribers, -1 where the announcement was refused} or {"older", version}
local head = redis.call('GETRANGE', KEYS[1], 0, 127)
local there = tonumber(string.match(head, '^{"format":%d+,"version":(%d+)[,}]'))
if there and there > tonumber(ARGV[1]) then return {'older', there} end
redis.call('SET', KEYS[1], ARGV[2])
local told = redis.pcall('PUBLISH', ARGV[3], ARGV[1]) -- lost, it is noticed at the next look
return {'published', type(told) == 'number' and told or -1}
