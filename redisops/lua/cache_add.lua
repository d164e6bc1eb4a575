-- Add to a cached whole number that is still valid; never create one.
-- KEYS[1]  string: the entry      KEYS[2]  sorted set: marks by the number of their invalidation
-- KEYS[3]  string: the number of the last invalidation      KEYS[4]  used for a moment, then gone
-- ARGV[1]  how much to add, may be negative      ARGV[2]  channel that is told of the key
-- ARGV[3]  the key's name there
-- Returns  the new number in decimal (a Lua number is exact to 2^53 only); false where there is
--          none; an error for what is no number of 64 bits
-- include: cache_current
local data = redis.pcall('GET', KEYS[1])
if type(data) ~= 'string' or #data < 28 or string.byte(data) ~= 193 then return false end
if not is_current(data, KEYS[1], KEYS[2], KEYS[3]) then return false end
if math.floor(string.byte(data, 2) / 4) % 2 == 0 then return redis.error_reply('ERR value is not an integer') end
local begins = 29 + struct.unpack('>H', string.sub(data, 27, 28))
redis.call('SET', KEYS[4], string.sub(data, begins))
local added = redis.pcall('INCRBY', KEYS[4], ARGV[1])
local sum = redis.call('GET', KEYS[4])
redis.call('UNLINK', KEYS[4])
if type(added) == 'table' then return added end
local stamp = redis.call('GETRANGE', KEYS[1], 2, 9) -- may have been brought up to date
redis.call('SET', KEYS[1], string.sub(data, 1, 2) .. stamp .. string.sub(data, 11, begins - 1) .. sum, 'KEEPTTL')
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return sum
