-- Store a cached entry if the caller still may, end its lease, wake who waits, tell the others.
-- KEYS[1]  string: the entry      KEYS[2]  sorted set: marks by the number of their invalidation
-- KEYS[3]  hash: the lease (token, waiters, void)      KEYS[4]  list that wakes its waiters
-- KEYS[5]  string: the number of the last invalidation
-- ARGV[1]  "load" (stores with its lease alone), "write" (without it the entry goes), "put", "new"
--          (unless there is an entry that still holds), "delete"
-- ARGV[2]  the token      ARGV[3]  the entry before its stamp, "" to store nothing
-- ARGV[4]  what follows   ARGV[5]  ms of its life, 0 for ever      ARGV[6]  its stamp, "" for the present one
-- ARGV[7]  channel that is told of the key      ARGV[8]  the key's name there
-- Returns  1 stored (or deleted), 0 not
-- include: cache_current
-- include: cache_stamp
if ARGV[1] == 'new' then
  local there = redis.pcall('GET', KEYS[1])
  if type(there) == 'string' and #there >= 28 and string.byte(there) == 193
    and is_current(there, KEYS[1], KEYS[2], KEYS[5]) then return 0 end
end
local how, done, refused = ARGV[1], 0, nil
local lease = redis.call('HMGET', KEYS[3], 'token', 'waiters', 'void')
local mine = lease[1] == ARGV[2]
if ARGV[3] ~= '' and (how == 'put' or how == 'new' or (mine and not lease[3])) then
  local stamp = ARGV[6] == '' and stamp_of(KEYS[2], KEYS[5]) or ARGV[6]
  local entry = ARGV[3] .. struct.pack('>d', tonumber(stamp)) .. ARGV[4]
  local life = ARGV[5] == '0' and {} or {'PX', ARGV[5]}
  refused = redis.pcall('SET', KEYS[1], entry, unpack(life))
  if not refused.err then done, refused = 1, nil end
  if refused and how == 'put' then redis.call('UNLINK', KEYS[1]) end -- the source has a newer one
elseif how ~= 'load' then
  done = redis.call('UNLINK', KEYS[1])
end
if mine then
  redis.call('UNLINK', KEYS[3])
  local woken = {}
  for n = 1, math.min(tonumber(lease[2]) or 0, 4000) do woken[n] = '1' end
  if #woken > 0 then
    redis.pcall('RPUSH', KEYS[4], unpack(woken)) -- refused where memory is full: they wait longer
    redis.call('PEXPIRE', KEYS[4], 10000)
  end
elseif lease[1] and how ~= 'load' then
  redis.call('HSET', KEYS[3], 'void', 1) -- what it loads may be older than this
end
if done == 1 then redis.pcall('PUBLISH', ARGV[7], ARGV[8]) end
if refused then return refused end -- after the lease: nobody waits for who cannot store
return how == 'write' and ARGV[3] ~= '' and not (mine and not lease[3]) and 0 or done
