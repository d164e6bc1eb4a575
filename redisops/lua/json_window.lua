-- The start of a RedisJSON document, or the names in a big one's root object.
-- KEYS[1]  JSON document
-- ARGV[1]  "1" when it is small enough to be serialised   ARGV[2]  bytes to keep of the text
-- ARGV[3]  names at most   ARGV[4]  bytes to keep of each name
-- Returns  {type of the root, members or elements in it or nil, start of the text or nil,
--          bytes of the text or nil, {name 1, bytes 1, ...}}
local key, kind = KEYS[1], redis.call('JSON.TYPE', KEYS[1], '.')
local size, names = false, {}
if type(kind) == 'table' then kind = kind.ok end
if kind == 'object' then size = redis.call('JSON.OBJLEN', key, '.') end
if kind == 'array' then size = redis.call('JSON.ARRLEN', key, '.') end
if ARGV[1] == '1' then
  local text = redis.call('JSON.GET', key)
  return {kind, size, string.sub(text, 1, tonumber(ARGV[2])), #text, names}
end
if kind == 'object' and size <= 10000 then
  local all = redis.call('JSON.OBJKEYS', key, '.')
  for i = 1, math.min(#all, tonumber(ARGV[3])) do
    names[#names + 1] = string.sub(all[i], 1, tonumber(ARGV[4]))
    names[#names + 1] = #all[i]
  end
end
return {kind, size, false, false, names}
