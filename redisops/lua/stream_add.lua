-- Add an entry to a stream, unless one with the same idempotency key was added within the window.
-- KEYS[1]  stream   KEYS[2]  string: the id of the entry that was added with this key
-- ARGV[1]  window, milliseconds
-- ARGV[2+] what XADD takes after the key: trimming, the id, field, value, field, value ...
-- Returns  {id, added now 0|1}
local known = redis.call('GET', KEYS[2])
if known then
  return {known, 0}
end
local id = redis.call('XADD', KEYS[1], unpack(ARGV, 2))
redis.call('SET', KEYS[2], id, 'PX', ARGV[1])
return {id, 1}
