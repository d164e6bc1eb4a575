-- Read a cached entry; where there is none become the one who loads it, or learn who else does.
-- KEYS[1]  string: the entry      KEYS[2]  sorted set: marks by the number of their invalidation
-- KEYS[3]  hash: the lease (token, waiters, void)      KEYS[4]  list that wakes its waiters
-- KEYS[5]  string: the number of the last invalidation, which a current entry gets
-- ARGV[1]  the caller's token      ARGV[2]  ms that a lease lasts
-- ARGV[3]  "" or, not to look at the entry, "again", "refresh" (does not wait) or "write" (the
--          entry goes, the lease is taken from whoever has it)
-- Returns  {entry, its PTTL}, {1, stamp} with the lease, or {2, ms that another's lease still lasts}
-- include: cache_current
-- include: cache_stamp
if ARGV[3] == '' then
  local data = redis.pcall('GET', KEYS[1])
  if type(data) == 'string' and is_current(data, KEYS[1], KEYS[2], KEYS[5]) then
    return {data, redis.call('PTTL', KEYS[1])}
  end
end
local lease = redis.call('HMGET', KEYS[3], 'token', 'void')
local holder = lease[1]
if ARGV[3] == 'write' then
  redis.call('UNLINK', KEYS[1])
  redis.call('HDEL', KEYS[3], 'void')
elseif holder and (holder ~= ARGV[1] or lease[2]) then
  if ARGV[3] ~= 'refresh' then redis.call('HINCRBY', KEYS[3], 'waiters', 1) end
  return {2, redis.call('PTTL', KEYS[3])}
end
local slow = 0 -- those woken by the last one who have not come for it yet: woken once more by this
if not holder then
  slow = tonumber(redis.pcall('LLEN', KEYS[4])) or 0
  redis.call('UNLINK', KEYS[4])
end
local stamp = stamp_of(KEYS[2], KEYS[5])
redis.call('HSET', KEYS[3], 'token', ARGV[1])
if slow > 0 then redis.call('HSET', KEYS[3], 'waiters', slow) end
redis.call('PEXPIRE', KEYS[3], ARGV[2])
return {1, stamp}
