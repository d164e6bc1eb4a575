-- Look at pending entries that somebody saw, and do something with each that is still as it was.
-- KEYS[1]  stream
-- ARGV[1]  group   ARGV[2+]  three for each entry: id, SHA-1 of its consumer's name as hex, times
--          delivered
-- Returns  for each: "done" or what the change says, "gone" when it is not pending, "changed" when
--          it was handed out since, "refused: ..." with the server's words; its error alone when
--          nothing was done before
local function each(key, group, seen, first, change)
  local words, done = {}, 0
  redis.call('XPENDING', key, group) -- says NOGROUP, also for none
  for n = first, #seen, 3 do
    local id, word = seen[n], 'changed'
    local row = redis.call('XPENDING', key, group, id, id, 1)[1]
    if not row then
      word = 'gone'
    elseif redis.sha1hex(row[2]) == seen[n + 1] and row[4] == tonumber(seen[n + 2]) then
      word = change(id, row)
    end
    if type(word) == 'table' then
      if done == 0 then return word end
      word = 'refused: ' .. word.err
    end
    if word == 'done' then done = done + 1 end
    words[#words + 1] = word
  end
  return words
end
return each(KEYS[1], ARGV[1], ARGV, 2, function() return 'done' end)
