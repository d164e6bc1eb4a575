-- Read a cached entry if no number of its marks says that it is over; may be repeated.
-- KEYS[1]  string: the entry      KEYS[2]  sorted set: marks by the number of their invalidation
-- KEYS[3]  string: the number of the last invalidation, which a current entry gets
-- Returns  {entry, its PTTL}; 0 none, 1 invalidated, 2 a key of another type
-- include: cache_current
local data = redis.pcall('GET', KEYS[1])
if type(data) == 'table' then return 2 end
if not data then return 0 end
if not is_current(data, KEYS[1], KEYS[2], KEYS[3]) then return 1 end
return {data, redis.call('PTTL', KEYS[1])}
