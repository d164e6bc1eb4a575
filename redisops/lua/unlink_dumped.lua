-- UNLINK keys that still hold what was dumped of them, with the expiry they had then.
-- KEYS[1+]  keys of any type, all of one slot
-- ARGV[1+]  two for each key: SHA-1 of its dump as hex, its expiry (Unix milliseconds, -1 none)
-- Returns  for each key: 1 removed, 0 changed since, -1 gone, or the words of its error; the error
--          itself when not one key could be removed
local rows, removed = {}, 0

local function differs(key, expected)
  local at = redis.pcall('PEXPIRETIME', key)
  if type(at) == 'number' then return at ~= expected end
  local ttl, now = redis.call('PTTL', key), redis.call('TIME') -- before Redis 7
  if ttl < 0 or expected < 0 then return ttl ~= expected end
  return math.abs(ttl + now[1] * 1000 + math.floor(now[2] / 1000) - expected) > 2
end

for n, key in ipairs(KEYS) do
  local dump = redis.call('DUMP', key)
  if not dump then
    rows[n] = -1
  elseif redis.sha1hex(dump) ~= ARGV[2 * n - 1] or differs(key, tonumber(ARGV[2 * n])) then
    rows[n] = 0
  else
    local done = redis.pcall('UNLINK', key)
    if type(done) == 'table' and removed == 0 then return done end
    rows[n] = type(done) == 'table' and done.err or done
    removed = removed + 1
  end
end
return rows
