-- Acknowledge pending entries, or hand them to another consumer, where they are as they were seen.
-- KEYS[1]  stream
-- ARGV[1]  group   ARGV[2]  "ack", "claim", or "look" to change nothing   ARGV[3]  new consumer
-- ARGV[4+]  three for each entry: id, SHA-1 of its consumer's name as hex, times delivered
-- Returns  for each: "done", "gone" when it is not pending, "changed" when it was handed out since,
--          "deleted" when the stream no longer has it, "same" when the new consumer has it already,
--          "refused: ..." with the server's words; its error alone when nothing was done before
-- include: group_each
local key, group, verb, consumer = KEYS[1], ARGV[1], ARGV[2], ARGV[3]

local function act(id, row)
  if verb == 'claim' then
    if row[2] == consumer then return 'same' end
    if #redis.call('XRANGE', key, id, id) == 0 then return 'deleted' end
    local told = redis.pcall('XCLAIM', key, group, consumer, 0, id, 'JUSTID')
    if told.err then return told end
  elseif verb == 'ack' then
    local told = redis.pcall('XACK', key, group, id)
    if type(told) == 'table' then return told end
  end
  return 'done'
end

return each(key, group, ARGV, 4, act)
