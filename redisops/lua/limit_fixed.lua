-- Decide by a fixed window, which begins at the first hit; 10 bytes: its start, what is spent.
-- KEYS[1]  string: the window's start in us (6 bytes, modulo 2^48), spent (4 bytes)
-- ARGV[1]  cost, below 0 to look only   ARGV[2]  the limit and its period in us, two doubles
-- ARGV[3]  now, us since 1970; left out by all but tests: the server's clock
-- Returns  {allowed 0|1, remaining, us until it would be allowed (-1 never), us until all is back}
local function fixed(key, now, cost, take, limit, period)
  local start, spent = now, 0
  local state = redis.call('GET', key)
  if state then
    local at
    at, spent = struct.unpack('>I6I4', state)
    start = now - (now - at) % 2^48
    if now - start >= 2^47 then -- the clock stepped back: the window begins now
      start = now
      if take then
        local value = struct.pack('>I6I4', now % 2^48, spent)
        redis.call('SET', key, value, 'PX', math.ceil(period / 1000) + 1)
      end
    elseif now - start >= period then
      start, spent = now, 0
    end
  end
  local left, rest = math.max(0, limit - spent), start + period - now
  if spent + cost > limit then
    return false, left, cost > limit and -1 or rest, spent > 0 and rest or 0
  end
  local value = struct.pack('>I6I4', start % 2^48, spent + cost)
  return true, left, 0, spent > 0 and rest or 0, rest, value
end
-- include: limit_spend
-- include: limit_alone
return alone(fixed, KEYS[1], ARGV[1], ARGV[3], struct.unpack('>dd', ARGV[2]))
