-- Look at some instances of a service, and remove what is left of those that are not there.
-- KEYS[1]  version   KEYS[2]  stream of events   KEYS[3]  leases   KEYS[4]  records
-- KEYS[5]  states   KEYS[6]  fences   KEYS[7]  suspects   KEYS[8]  ends of maintenance
-- KEYS[9]  check results
-- ARGV[1]  channel   ARGV[2]  "lease" or "rec": what is walked   ARGV[3]  cursor   ARGV[4]  count
-- Returns  {cursor, records without a lease, leases without a record, records of no use}
-- include: service_tell
local time, walk = redis.call('TIME'), ARGV[2] == 'lease' and 'ZSCAN' or 'HSCAN'
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local page = redis.call(walk, ARGV[2] == 'lease' and KEYS[3] or KEYS[4], ARGV[3], 'COUNT', ARGV[4])
local leaseless, recordless, useless = {}, {}, {}
for n = 1, #page[2], 2 do
  local id = page[2][n]
  local record = redis.call('HGET', KEYS[4], id)
  local named, state = string.match(record or '', '^1 (%S+) (%l+) %d+ [01] %S+ %d+\n')
  local into = not record and recordless or named ~= id and useless
    or not redis.call('ZSCORE', KEYS[3], id) and leaseless
  if into then
    into[#into + 1] = id
    if record then
      tell(KEYS[1], KEYS[2], ARGV[1], now, id, 'service_down', state or 'none', 'gone',
        named ~= id and 'its record was malformed' or 'nobody held its lease', '0', '')
    end
    redis.call('ZREM', KEYS[3], id)
    redis.call('ZREM', KEYS[8], id)
    redis.call('SREM', KEYS[7], id)
    redis.call('HDEL', KEYS[4], id)
    redis.call('HDEL', KEYS[5], id)
    redis.call('HDEL', KEYS[6], id)
    redis.call('HDEL', KEYS[9], id)
  end
end
return {page[1], leaseless, recordless, useless}
