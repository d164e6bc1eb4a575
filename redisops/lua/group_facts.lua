-- A stream's figures without its entries, and the first of its groups with their oldest pending.
-- KEYS[1]  stream
-- ARGV[1]  groups at most   ARGV[2]  bytes to keep of a group's name
-- Returns  {XINFO STREAM as name, value, ... with ids for its entries,
--          {XINFO GROUPS of one with its name cut, bytes of the whole name,
--           XPENDING of its oldest with the consumer's name cut, or nil}, ...}
local most, bytes, rows = tonumber(ARGV[1]), tonumber(ARGV[2]), {}
local info = redis.call('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  local name, value = info[i], info[i + 1]
  if name == 'first-entry' or name == 'last-entry' then info[i + 1] = value and value[1] end
end
for n, row in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  if n > most then break end
  local whole, pending = '', 0
  for i = 1, #row, 2 do
    if row[i] == 'name' then
      whole = row[i + 1]
      row[i + 1] = string.sub(whole, 1, bytes)
    elseif row[i] == 'pending' then
      pending = row[i + 1]
    end
  end
  local oldest = pending > 0 and redis.call('XPENDING', KEYS[1], whole, '-', '+', 1)[1]
  if oldest then oldest[2] = string.sub(oldest[2], 1, bytes) end
  rows[n] = {row, #whole, oldest or false}
end
return {info, rows}
