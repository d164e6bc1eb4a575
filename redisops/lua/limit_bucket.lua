-- Decide by a bucket that gives back `count` every `us` (token, leaky bucket, GCRA); 12 bytes.
-- KEYS[1]  string: since when it is not full, us (6 bytes, modulo 2^48), spent since, the pace
-- ARGV[1]  cost, below 0 to look only
-- ARGV[2]  four doubles: burst, us, count, and the pace, 960 * (46 + log2(count / us)), by which
--          a rate that changed is known
-- ARGV[3]  now, us since 1970; left out by all but tests: the server's clock
-- Returns  {allowed 0|1, remaining, us until it would be allowed (-1 never), us until all is back}
local function bucket(key, now, cost, take, burst, us, count, pace)
  local spent, age = 0, 0 -- `spent` whole since `age` us ago; spent * us - age * count is exact
  local state = redis.call('GET', key)
  if state then
    local at, was
    at, spent, was = struct.unpack('>I6I4I2', state)
    age = (now - at) % 2^48
    local seen = age
    if age >= 2^47 then age = 0 end -- the clock stepped back
    if was ~= pace and spent > 0 then
      local debt = math.max(0, spent - age * 2 ^ (was / 960 - 46))
      spent = math.ceil(debt)
      age = math.floor((spent - debt) * us / count)
    end
    if spent * us - age * count > burst * us then spent, age = burst, 0 end
    if spent * us <= age * count then
      spent, age = 0, 0
    elseif take and (age ~= seen or was ~= pace) then -- a denial must remember this too
      local value = struct.pack('>I6I4I2', (now - age) % 2^48, spent, pace)
      redis.call('SET', key, value, 'PX', math.ceil((spent * us / count - age) / 1000) + 1)
    end
  end
  local debt = spent * us - age * count -- in units of 1/us of a token
  local left, reset = burst - math.ceil(debt / us), math.ceil(debt / count)
  local short = debt + (cost - burst) * us
  if short > 0 then
    return false, left, cost > burst and -1 or math.ceil(short / count), reset
  end
  local whole = math.floor(age / us) -- what came back in full is forgotten: spent stays small
  spent, age = spent + cost - whole * count, age - whole * us
  local value = struct.pack('>I6I4I2', (now - age) % 2^48, spent, pace)
  return true, left, 0, reset, math.ceil((debt + cost * us) / count), value
end
-- include: limit_spend
-- include: limit_alone
return alone(bucket, KEYS[1], ARGV[1], ARGV[3], struct.unpack('>dddd', ARGV[2]))
