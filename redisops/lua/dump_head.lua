-- The start and the size of a key's DUMP: all that can be said of a module's own type.
-- KEYS[1]  key of any type
-- ARGV[1]  bytes to keep
-- Returns  {start, bytes}, or nil when there is no such key
local dump = redis.call('DUMP', KEYS[1])
if not dump then return false end
return {string.sub(dump, 1, tonumber(ARGV[1])), #dump}
