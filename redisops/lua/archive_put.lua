-- Add a part of an archived key to a key beside it, and after the last part give that its name.
-- KEYS[1]  the key beside it   KEYS[2]  the name, in the same slot
-- ARGV[1]  type: "string", "list", "hash", "set", "zset" or "stream"
-- ARGV[2]  elements before this part (bytes of a string); 0 begins anew
-- ARGV[3]  elements in this part   ARGV[4]  1 after the last part, else 0
-- ARGV[5]  expiry (Unix milliseconds, 0 none)
-- ARGV[6]  SHA-1 (hex) of the dump that may be overwritten, "" when the name must be free
-- ARGV[7]  that one's expiry (Unix milliseconds, -1 none)
-- ARGV[8]  last id of a stream or ""   ARGV[9]  milliseconds that an unfinished key is kept
-- ARGV[10+]  string: data; list, set: element ...; hash: field, value ...; zset: score, member ...;
--          stream: id, number of words, field, value ...
-- Returns  1 put (or added), 2 added before, 0 the name is taken, -1 expired, -2 the key beside it is
--          not what the parts before made
local beside, name, kind = KEYS[1], KEYS[2], ARGV[1]
local before, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local last, at, time = ARGV[4] == '1', tonumber(ARGV[5]), redis.call('TIME')
local verbs = {list = 'RPUSH', set = 'SADD', hash = 'HSET', zset = 'ZADD', stream = 'XLEN'}
local create, destroy = 'CREATE', 'DESTROY'
local lengths = {string = 'STRLEN', list = 'LLEN', stream = 'XLEN'}

local function is_as_seen()
  if ARGV[6] == '' then return redis.call('EXISTS', name) == 0 end
  local dump = redis.call('DUMP', name)
  if not dump or redis.sha1hex(dump) ~= ARGV[6] then return false end
  local ends, seen = redis.pcall('PEXPIRETIME', name), tonumber(ARGV[7])
  if type(ends) == 'number' then return ends == seen end
  return (redis.call('PTTL', name) < 0) == (seen < 0) -- before Redis 7
end

local function add()
  if kind == 'string' then return redis.call('APPEND', beside, ARGV[10]) end
  if kind ~= 'stream' then
    for n = 10, #ARGV, 1000 do
      redis.call(verbs[kind], beside, unpack(ARGV, n, math.min(n + 999, #ARGV)))
    end
    return
  end
  local n = 10
  while n <= #ARGV do
    local words = tonumber(ARGV[n + 1])
    redis.call('XADD', beside, ARGV[n], unpack(ARGV, n + 2, n + 1 + words))
    n = n + 2 + words
  end
end

if last and (not is_as_seen()) then return 0 end
if at > 0 and at <= time[1] * 1000 + math.floor(time[2] / 1000) then return -1 end
if before == 0 then redis.call('UNLINK', beside) end
local length = lengths[kind] and redis.call(lengths[kind], beside) or before
if before > 0 and (length < before or redis.call('EXISTS', beside) == 0) then return -2 end
local done = length >= before + count and count > 0
if length ~= before and not done then return -2 end
if not done then add() end
if ARGV[8] ~= '' and redis.call('EXISTS', beside) == 0 then
  redis.call('XGROUP', create, beside, 'none', '$', 'MKSTREAM')
  redis.call('XGROUP', destroy, beside, 'none')
end
if ARGV[8] ~= '' then redis.call('XSETID', beside, ARGV[8]) end
if not last then redis.call('PEXPIRE', beside, ARGV[9]) return done and 2 or 1 end
if at > 0 then redis.call('PEXPIREAT', beside, at) else redis.call('PERSIST', beside) end
redis.call('RENAME', beside, name)
return 1
