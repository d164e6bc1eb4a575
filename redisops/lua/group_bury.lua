-- Move pending entries to the dead-letter stream, where they are as they were seen.
-- KEYS[1]  stream   KEYS[2]  dead-letter stream, in the same slot
-- ARGV[1]  group   ARGV[2]  cause   ARGV[3]  milliseconds since 1970
-- ARGV[4]  values of an entry at most, so that they fit into one command
-- ARGV[5+]  three for each entry: id, SHA-1 of its consumer's name as hex, times delivered
-- Returns  for each: "done", "gone" when it is not pending, "changed" when it was handed out since,
--          "deleted" when the stream no longer has it, "many" when it has too many values,
--          "refused: ..." with the server's words; its error alone when nothing was done before
-- include: group_each
local key, dead, group, cause = KEYS[1], KEYS[2], ARGV[1], ARGV[2]
local at, most = ARGV[3], tonumber(ARGV[4])

local function bury(id, row)
  local entry = redis.call('XRANGE', key, id, id)[1]
  if not entry then return 'deleted' end
  if #entry[2] > most then return 'many' end
  local told = redis.pcall('XADD', dead, '*', 'dead:stream', key, 'dead:id', id, 'dead:group', group,
    'dead:consumer', row[2], 'dead:deliveries', row[4], 'dead:at', at, 'dead:cause', cause,
    unpack(entry[2]))
  if type(told) == 'table' and told.err then return told end
  redis.call('XACK', key, group, id)
  return 'done'
end

redis.call('XACK', key, group, '0-0') -- says NOPERM before a letter is written that stays pending
return each(key, group, ARGV, 5, bury)
