-- Rename or copy a key, over another one only when told to.
-- KEYS[1]  key of any type   KEYS[2]  the other name, in the same slot
-- ARGV[1]  "1" to compare only   ARGV[2]  "rename" or "copy"   ARGV[3]  "1" to replace
-- ARGV[4]  type that it must have, "" for any
-- ARGV[5]  SHA-1 of the dump that may be replaced, as hex, "" for whatever is there
-- Returns  {"saved"}, {"exists"}, {"type", type}, {"missing"}, or {"conflict", nil} when something
--          else is at the other name by now
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return {'missing'} end
if ARGV[4] ~= '' and kind ~= ARGV[4] then return {'type', kind} end
if ARGV[3] ~= '1' and redis.call('EXISTS', KEYS[2]) == 1 then return {'exists'} end
if ARGV[5] ~= '' then
  local current = redis.call('DUMP', KEYS[2])
  if not current or redis.sha1hex(current) ~= ARGV[5] then return {'conflict', false} end
end
if ARGV[1] == '1' then return {'saved'} end
if ARGV[2] == 'rename' then
  redis.call('RENAME', KEYS[1], KEYS[2])
elseif ARGV[3] == '1' then
  redis.call('COPY', KEYS[1], KEYS[2], 'REPLACE')
else
  redis.call('COPY', KEYS[1], KEYS[2])
end
return {'saved'}
