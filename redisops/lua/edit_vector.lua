-- Add an element to a vector set, remove one, or set its attributes if they are as seen.
-- KEYS[1]  vector set
-- ARGV[1]  "1" to compare only   ARGV[2]  "add", "remove" or "attributes"   ARGV[3]  element
-- ARGV[4]  bytes of the attributes as seen ("" for an element that must not be there)
-- ARGV[5]  where the bytes seen start   ARGV[6]  how many were seen   ARGV[7]  their SHA1 in hex
-- ARGV[8+]  new attributes, the numbers of the vector
-- Returns  {"saved", attributes before or nil}, {"conflict", now}, {"exists"}, {"absent"},
--          {"type", type} or {"missing"}; a version is {first MiB, bytes, SHA1 of the first MiB}
local key, element, attributes = KEYS[1], ARGV[3], ARGV[8]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'vectorset' then return {'type', kind} end
local there = redis.call('VEMB', key, element)
if ARGV[2] == 'add' then
  if there then return {'exists'} end
  if ARGV[1] == '1' then return {'saved', false} end
  -- The server takes an element only with the options that the set was made with.
  local about, info = {}, redis.call('VINFO', key)
  for n = 1, #info, 2 do about[info[n]] = info[n + 1] end
  local command = {'VADD', key}
  local function put(...)
    for n = 1, select('#', ...) do command[#command + 1] = (select(n, ...)) end
  end
  if (about['projection-input-dim'] or 0) > 0 then put('REDUCE', about['vector-dim']) end
  put('VALUES', #ARGV - 8)
  for n = 9, #ARGV do put(ARGV[n]) end
  put(element, ({f32 = 'NOQUANT', bin = 'BIN'})[about['quant-type']] or 'Q8')
  if about['hnsw-m'] then put('M', about['hnsw-m']) end
  if attributes ~= '' then put('SETATTR', attributes) end
  redis.call(unpack(command))
  return {'saved', false}
end
if not there then return {'absent'} end
local now = redis.call('VGETATTR', key, element) or ''
local start = string.sub(now, 1, 1048576)
local version = {start, #now, redis.sha1hex(start)}
local part = string.sub(now, ARGV[5] + 1, ARGV[5] + ARGV[6])
if #now ~= tonumber(ARGV[4]) or redis.sha1hex(part) ~= ARGV[7] then
  return {'conflict', version}
end
if ARGV[1] == '1' then return {'saved', version} end
if ARGV[2] == 'remove' then
  redis.call('VREM', key, element)
else
  redis.call('VSETATTR', key, element, attributes)
end
return {'saved', version}
