-- The facts of one key of any type. Idle time is read first, because asking for a length
-- counts as a use of the key on connections without CLIENT NO-TOUCH.
-- KEYS[1]  key of any type
-- ARGV[1]  elements that MEMORY USAGE may sample   ARGV[2]  bytes of a string's start to return
-- Returns  nil when there is no such key, else {type, time to live in ms (-1 none),
--          memory in bytes, length, encoding, idle in seconds, start of a string,
--          refused commands separated by commas}; a fact that is not to be had is nil
local key = KEYS[1]
local lengths = {
  string = 'STRLEN', list = 'LLEN', hash = 'HLEN', set = 'SCARD', zset = 'ZCARD', stream = 'XLEN',
}
local refused = {}

local function ask(right, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if string.find(reply.err, 'permission', 1, true) or string.find(reply.err, "can't", 1, true) then
      refused[#refused + 1] = right
    end
    return false
  end
  return reply
end

local kind = ask('type', 'TYPE', key)
if not kind then
  return {false, false, false, false, false, false, false, table.concat(refused, ',')}
end
kind = kind.ok
if kind == 'none' then return false end

local idle = ask('object|idletime', 'OBJECT', 'IDLETIME', key)
local ttl = ask('pttl', 'PTTL', key)
local memory = ask('memory|usage', 'MEMORY', 'USAGE', key, 'SAMPLES', ARGV[1])
local encoding = ask('object|encoding', 'OBJECT', 'ENCODING', key)
local command = lengths[kind]
local length = command and ask(string.lower(command), command, key)
local start = false
if kind == 'string' and tonumber(ARGV[2]) > 0 then
  start = ask('getrange', 'GETRANGE', key, 0, ARGV[2] - 1)
end
return {kind, ttl, memory, length or false, encoding, idle, start, table.concat(refused, ',')}
