-- A page of a hash or a set by HSCAN or SSCAN, each element cut to a limit. A small encoded
-- collection comes whole from one call, so the page may end inside a batch: the next one
-- repeats that call and skips what was shown.
-- KEYS[1]  hash or set
-- ARGV[1]  command, "HSCAN" or "SSCAN"   ARGV[2]  cursor   ARGV[3]  rows of its batch to skip
-- ARGV[4]  rows wanted   ARGV[5]  pattern, "" for all   ARGV[6]  COUNT   ARGV[7]  calls at most
-- ARGV[8]  bytes to keep of each element   ARGV[9]  bytes to keep in all
-- ARGV[10] "1" to ask for the expiry of each field (HPTTL)
-- Returns  {length, next cursor, rows of its batch to skip, rows looked at,
--          {start 1, bytes 1, start 2, bytes 2, ...}, {ms or -1 for each field} or nil}
local key, command, cursor, skip = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[3])
local wanted, pattern, count, calls = tonumber(ARGV[4]), ARGV[5], ARGV[6], tonumber(ARGV[7])
local limit, budget = tonumber(ARGV[8]), tonumber(ARGV[9])
local width = command == 'HSCAN' and 2 or 1
local rows, names, looked = {}, {}, 0

repeat
  local reply
  if pattern == '' then
    reply = redis.call(command, key, cursor, 'COUNT', count)
  else
    reply = redis.call(command, key, cursor, 'MATCH', pattern, 'COUNT', count)
  end
  local batch, row, begun = reply[2], skip, skip
  while row < #batch / width and #names < wanted and budget > 0 do
    names[#names + 1] = batch[row * width + 1]
    for part = row * width + 1, row * width + width do
      local start = string.sub(batch[part], 1, limit)
      rows[#rows + 1] = start
      rows[#rows + 1] = #batch[part]
      budget = budget - #start
    end
    row = row + 1
  end
  looked = looked + math.max(row - begun, pattern == '' and 0 or tonumber(count))
  skip = row < #batch / width and row or 0
  calls = calls - 1
  if skip == 0 then cursor = reply[1] end
until skip > 0 or cursor == '0' or #names >= wanted or budget <= 0 or calls <= 0

local ttls = false
if ARGV[10] == '1' and #names > 0 then
  ttls = redis.pcall('HPTTL', key, 'FIELDS', #names, unpack(names))
  if ttls.err then ttls = false end
end
local length = redis.call(command == 'HSCAN' and 'HLEN' or 'SCARD', key)
return {length, cursor, skip, looked, rows, ttls}
