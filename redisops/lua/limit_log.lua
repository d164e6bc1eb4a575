-- Decide by a log of hits, oldest first; 16 bytes a hit. Sums run on, so that none is added up.
-- KEYS[1]  list: of each hit its time in us (6 bytes, modulo 2^48), the sum before and after it
-- ARGV[1]  cost, below 0 to look only   ARGV[2]  the limit and its period in us, two doubles
-- ARGV[3]  now, us since 1970; left out by all but tests: the server's clock
-- Returns  {allowed 0|1, remaining, us until it would be allowed (-1 never), us until all is back}
local function log(key, now, cost, take, limit, period)
  local clock, used, first, base, total, last, folded = now, 0, 0, nil, 0, nil, false
  local function read(hit)
    local at, before, after = struct.unpack('>I6I4I4', hit)
    return clock - ((clock - at + 2^47) % 2^48 - 2^47), before, after
  end
  local function search(is_found) -- the first hit that is found, if all after it are
    if is_found(read(redis.call('LINDEX', key, 0))) then return 0 end
    local low, high, size = 1, 1, redis.call('LLEN', key)
    while high < size and not is_found(read(redis.call('LINDEX', key, high))) do
      low, high = high + 1, math.min(2 * high + 1, size)
    end
    while low < high do
      local middle = math.floor((low + high) / 2)
      local found = is_found(read(redis.call('LINDEX', key, middle)))
      if found then high = middle else low = middle + 1 end
    end
    return low
  end
  local newest = redis.call('LINDEX', key, -1)
  if newest then
    last, base, total = read(newest)
    now, base = math.max(now, last), nil -- a clock that stepped back stands still
    first = search(function(at, before)
      if now - at < period then base = before return true end
    end)
    used = base and (total - base) % 2^32 or 0
    if used > 0 and last - clock > period then -- by more than a period: all is spent now
      now, last, first, base, total, folded = clock, clock, 0, 0, used, not take
      if take then
        redis.call('RPUSH', key, struct.pack('>I6I4I4', now % 2^48, 0, used))
        redis.call('LTRIM', key, -1, -1)
      end
    end
  end
  local left, reset = math.max(0, limit - used), used > 0 and last + period - clock or 0
  if used + cost > limit then
    local retry = cost <= limit and reset or -1
    if retry > 0 and not folded then
      search(function(at, _, after)
        local freed = (after - base + 2^31) % 2^32 - 2^31
        if freed >= used + cost - limit then retry = at + period - clock return true end
      end)
    end
    return false, left, retry, reset
  end
  local value = struct.pack('>I6I4I4', now % 2^48, total, (total + cost) % 2^32)
  return true, left, 0, reset, now + period - clock, value, first
end
-- include: limit_spend
-- include: limit_alone
return alone(log, KEYS[1], ARGV[1], ARGV[3], struct.unpack('>dd', ARGV[2]))
