-- Add dead letters to the stream that they came from, and take them off the dead-letter stream.
-- KEYS[1]  dead-letter stream   KEYS[2]  stream, in the same slot
-- ARGV[1]  fields that tell of the death before the entry's own   ARGV[2]  values at most
-- ARGV[3+]  ids of dead letters
-- Returns  for each: the new id, "gone" when it is there no more, "foreign" when it is no dead letter
--          of this stream, "many" when it has too many values, "missing" when there is no stream,
--          "refused: ..." with the server's words; its error alone when nothing was done before
local head, most, words, done = tonumber(ARGV[1]) * 2, tonumber(ARGV[2]), {}, 0

local function replay(id)
  local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
  if not entry then return 'gone' end
  local parts = entry[2]
  if parts[1] ~= 'dead:stream' or parts[2] ~= KEYS[2] or #parts <= head then return 'foreign' end
  if #parts > most then return 'many' end
  local added = redis.pcall('XADD', KEYS[2], 'NOMKSTREAM', '*', unpack(parts, head + 1))
  if not added then return 'missing' end
  if type(added) == 'table' then return added end
  redis.call('XDEL', KEYS[1], id)
  done = done + 1
  return added
end

for n = 3, #ARGV do
  local word = replay(ARGV[n])
  if type(word) == 'table' and done == 0 then return word end
  words[#words + 1] = type(word) == 'table' and 'refused: ' .. word.err or word
end
return words
