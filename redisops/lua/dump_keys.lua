-- DUMP keys with what RESTORE needs beside it, as far as the bounds allow.
-- KEYS[1+]  keys of any type, all of one slot
-- ARGV[1]  most bytes of one dump   ARGV[2]  bytes after which keys are left for another call
-- Returns  for each key three values: its dump, its type, its expiry (Unix milliseconds, -1 none);
--          instead of the dump nil for no such key, its size for one that is above ARGV[1] (more
--          than twice that in memory: not dumped at all), its negative size for one that is left
local most, left, rows = tonumber(ARGV[1]), tonumber(ARGV[2]), {}

local function expiry(key)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) == 'number' then return at end
  local ttl, now = redis.call('PTTL', key), redis.call('TIME') -- before Redis 7
  return ttl < 0 and ttl or ttl + now[1] * 1000 + math.floor(now[2] / 1000)
end

for _, key in ipairs(KEYS) do
  local size = redis.pcall('MEMORY', 'USAGE', key, 'SAMPLES', 5)
  local dump, kind, at = false, false, -1
  if size then
    if type(size) == 'table' then size = 1 end -- refused: the dump itself will tell
    if size > 2 * most + 1024 then
      dump = size
    elseif size > left then
      dump = -size
    else
      dump = redis.call('DUMP', key)
      if dump and #dump > most then
        dump = #dump
      elseif dump then
        left = left - #dump
      end
    end
    kind, at = redis.call('TYPE', key).ok, expiry(key)
  end
  local n = #rows
  rows[n + 1], rows[n + 2], rows[n + 3] = dump, kind, at
end
return rows
