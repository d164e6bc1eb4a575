-- Count members of a window, in that window alone.
-- KEYS[1]  string: HyperLogLog
-- ARGV[1]  the window's first second, "" for any time   ARGV[2]  the first second after it
-- ARGV[3]  the second in which it expires   ARGV[4+] members
-- Returns  {1 when the count changed, else 0};
--          {"window", seconds, microseconds} when the server's clock is outside the window
if ARGV[1] ~= '' then
  local now = redis.call('TIME')
  local outside = now[1] + 0 < ARGV[1] + 0 or now[1] + 0 >= ARGV[2] + 0
  if outside then return {'window', now[1], now[2]} end
end
local changed = 0
for at = 4, #ARGV, 1000 do
  local some = redis.call('PFADD', KEYS[1], unpack(ARGV, at, math.min(at + 999, #ARGV)))
  if some == 1 then changed = 1 end
end
redis.call('EXPIREAT', KEYS[1], ARGV[3])
return {changed}
