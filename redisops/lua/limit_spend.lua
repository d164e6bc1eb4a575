-- Write down what a limit has given: its state, or one more hit of a log. Included by others.
-- KEYS     none of its own: a limit's key is handed in
-- ARGV     none of its own
-- Returns  nothing
local function spend(key, value, after, first)
  local ttl = math.ceil(after / 1000) + 1
  if not first then
    redis.call('SET', key, value, 'PX', ttl)
  else -- a log, whose hits before `first` are over
    if first > 0 then redis.call('LTRIM', key, first, -1) end
    redis.call('RPUSH', key, value)
    redis.call('PEXPIRE', key, ttl)
  end
end
