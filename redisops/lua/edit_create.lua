-- Make a key of any type where there is none.
-- KEYS[1]  the new key
-- ARGV[1]  "1" to compare only   ARGV[2]  kind, as redisops.edits.Create names them
-- ARGV[3]  ms since 1970 when it expires, "" for never
-- ARGV[4+]  the parts of each row in the order of the command; of a stream and a vector set each
--          row begins with how many parts follow its id or element
-- Returns  {"saved"}, {"exists"} or {"past"}
local key, kind, expires = KEYS[1], ARGV[2], ARGV[3]
if redis.call('EXISTS', key) == 1 then return {'exists'} end
local time = redis.call('TIME')
if expires ~= '' and tonumber(expires) <= time[1] * 1000 + math.floor(time[2] / 1000) then
  return {'past'}
end
if ARGV[1] == '1' then return {'saved'} end
local many = {
  list = 'RPUSH', hash = 'HSET', set = 'SADD', zset = 'ZADD', geo = 'GEOADD', hyperloglog = 'PFADD',
}
local function make()
  if many[kind] then -- 3,000 parts at a time: whole rows of one, two or three
    for n = 4, #ARGV, 3000 do
      redis.call(many[kind], key, unpack(ARGV, n, math.min(n + 2999, #ARGV)))
    end
  elseif kind == 'string' then
    redis.call('SET', key, ARGV[4])
  elseif kind == 'json' then
    redis.call('JSON.SET', key, '$', ARGV[4])
  end
  local n = 4
  while kind == 'stream' and n < #ARGV do
    redis.call('XADD', key, ARGV[n + 1], unpack(ARGV, n + 2, n + 1 + ARGV[n]))
    n = n + 2 + ARGV[n]
  end
  while kind == 'vectorset' and n < #ARGV do
    local command = {'VADD', key, 'VALUES', ARGV[n]}
    for m = n + 2, n + 1 + ARGV[n] do command[#command + 1] = ARGV[m] end
    command[#command + 1] = ARGV[n + 1]
    redis.call(unpack(command))
    n = n + 2 + ARGV[n]
  end
  if expires ~= '' then redis.call('PEXPIREAT', key, expires) end
end
local done, problem = pcall(make)
if done then return {'saved'} end
redis.pcall('DEL', key) -- no half of a key
return type(problem) == 'table' and problem or redis.error_reply(problem)
