-- Add an entry to a stream that exists, or delete one.
-- KEYS[1]  stream
-- ARGV[1]  "1" to compare only   ARGV[2]  "add" or "delete"   ARGV[3]  id
-- ARGV[4+]  name and value of each field
-- Returns  {"saved", the new id (nil in a dry run) or the fields that were deleted}, {"absent"},
--          {"low", last id} for an id that is not above it, {"type", type} or {"missing"}
local key, id, dry = KEYS[1], ARGV[3], ARGV[1] == '1'
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'stream' then return {'type', kind} end
if ARGV[2] == 'delete' then
  local found = redis.call('XRANGE', key, id, id)
  if not found[1] then return {'absent'} end
  if not dry then redis.call('XDEL', key, id) end
  return {'saved', found[1][2]}
end
if dry then return {'saved', false} end
local reply = redis.pcall('XADD', key, id, unpack(ARGV, 4))
if type(reply) == 'table' and reply.err then
  if not string.find(reply.err, 'equal or smaller') then return reply end
  local about = redis.call('XINFO', 'STREAM', key)
  for n = 1, #about, 2 do
    if about[n] == 'last-generated-id' then return {'low', about[n + 1]} end
  end
end
return {'saved', reply}
