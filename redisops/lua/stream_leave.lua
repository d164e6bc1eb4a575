-- Delete a consumer of a group if nothing is pending for it and it has been idle so long.
-- KEYS[1]  stream
-- ARGV[1]  group   ARGV[2]  consumer   ARGV[3]  idle time, milliseconds
-- Returns  1 deleted, 0 kept or not there
for _, row in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local about = {}
  for at = 1, #row, 2 do
    about[row[at]] = row[at + 1]
  end
  if about.name == ARGV[2] and about.pending == 0 and about.idle >= tonumber(ARGV[3]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
    return 1
  end
end
return 0
