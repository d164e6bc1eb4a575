-- Set or delete a path of a JSON document if what is there is still what was seen.
-- KEYS[1]  JSON document
-- ARGV[1]  "1" to compare only   ARGV[2]  "set" or "delete"   ARGV[3]  path
-- ARGV[4]  bytes of the text as seen, "" when nothing must be there
-- ARGV[5]  where the bytes seen start   ARGV[6]  how many were seen   ARGV[7]  their SHA1 in hex
-- ARGV[8]  the new text
-- Returns  {"saved", before, after, places that the path matched}, nil for what is not or, after
--          a dry run, not known;
--          {"conflict", now}, {"exists", now}, {"absent"}, {"type", type} or {"missing"};
--          a version is {first MiB, bytes, SHA1 of the first MiB}
local key, path = KEYS[1], ARGV[3]
local kind = redis.call('TYPE', key).ok
if kind == 'none' then return {'missing'} end
if kind ~= 'ReJSON-RL' then return {'type', kind} end
local function text()
  local reply = redis.pcall('JSON.GET', key, path)
  -- A path of the old kind that leads nowhere is an error, one with $ an empty array.
  if type(reply) ~= 'string' or reply == '[]' and string.sub(path, 1, 1) == '$' then return false end
  return reply
end
local function version(whole)
  local start = whole and string.sub(whole, 1, 1048576)
  return whole and {start, #whole, redis.sha1hex(start)}
end
local now = text()
if ARGV[4] == '' and now then return {'exists', version(now)} end
if ARGV[4] ~= '' then
  if not now then return {'absent'} end
  local part = string.sub(now, ARGV[5] + 1, ARGV[5] + ARGV[6])
  if #now ~= tonumber(ARGV[4]) or redis.sha1hex(part) ~= ARGV[7] then
    return {'conflict', version(now)}
  end
end
local places = 1
if now and string.sub(path, 1, 1) == '$' then places = #redis.call('JSON.TYPE', key, path) end
if ARGV[1] == '1' then return {'saved', version(now), false, places} end
if ARGV[2] == 'delete' then
  redis.call('JSON.DEL', key, path)
  return {'saved', version(now), false, places}
end
-- A nil reply: the place to put it is not there.
if not redis.call('JSON.SET', key, path, ARGV[8]) then return {'absent'} end
return {'saved', version(now), version(text()), places}
