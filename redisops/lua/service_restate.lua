-- Write another head before an instance's record: its state, whether it is suspect, its weight.
-- KEYS[1]  hash of the packed records
-- ARGV[1]  the instance   ARGV[2]  state, empty to keep it   ARGV[3]  now, ms since 1970
-- ARGV[4]  suspect 0|1, empty to keep it   ARGV[5]  weight, "-" for its own, empty to keep it
-- Returns  {state before, suspect before, fence, JSON} or nil where there is no usable record
local function restate(records, id, to, now, suspect, weight)
  local record = redis.call('HGET', records, id) or ''
  local state, since, was, own, fence, json =
    string.match(record, '^1 %S+ (%l+) (%d+) ([01]) (%S+) (%d+)\n(.*)$')
  if not state then return nil end
  if to ~= '' and to ~= state then since = string.format('%.0f', now) end
  local after = table.concat({'1', id, to ~= '' and to or state, since,
    suspect ~= '' and suspect or was, weight ~= '' and weight or own, fence}, ' ') .. '\n' .. json
  if after ~= record then redis.call('HSET', records, id, after) end
  return {state, was, fence, json}
end
return restate(KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5])
