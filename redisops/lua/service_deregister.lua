-- Remove an instance, unless a later process has taken its id over.
-- KEYS[1]  version   KEYS[2]  stream of events   KEYS[3]  leases   KEYS[4]  records
-- KEYS[5]  states   KEYS[6]  fences   KEYS[7]  suspects   KEYS[8]  ends of maintenance
-- KEYS[9]  check results   KEYS[10]  the instance's own hash
-- ARGV[1]  channel   ARGV[2]  instance   ARGV[3]  fence of the process, 0 for any   ARGV[4]  why
-- Returns  "gone", "none" or "replaced"
-- include: service_tell
local id = ARGV[2]
local record = redis.call('HGET', KEYS[4], id)
local fence = redis.call('HGET', KEYS[6], id)
if ARGV[3] ~= '0' and fence and fence ~= ARGV[3] then return 'replaced' end
if not record and not fence and not redis.call('ZSCORE', KEYS[3], id) then return 'none' end
local time = redis.call('TIME')
local state = string.match(record or '', '^1 %S+ (%l+) ') or 'none'
tell(KEYS[1], KEYS[2], ARGV[1], time[1] * 1000 + math.floor(time[2] / 1000), id, 'service_down',
  state, 'gone', ARGV[4], '0', '')
for _, key in ipairs({KEYS[4], KEYS[5], KEYS[6], KEYS[9]}) do redis.call('HDEL', key, id) end
redis.call('ZREM', KEYS[3], id)
redis.call('ZREM', KEYS[8], id)
redis.call('SREM', KEYS[7], id)
redis.call('DEL', KEYS[10])
return 'gone'
