-- Judge those whose lease is over: each goes, or stays as a suspect, or is waited with. A part of
-- service_sweep.
-- KEYS[1]  leases   KEYS[2]  records   KEYS[3]  states   KEYS[4]  fences   KEYS[5]  suspects
-- KEYS[6]  ends of maintenance   KEYS[7]  check results
-- ARGV[1]  an instance
-- Returns  how many went on their lease alone
local function judge(keys, ids, records, by, gone, suspects, say, restate)
  local lost = 0
  for n = 1, #ids, 2 do
    local id, ended, there = ids[n], tonumber(ids[n + 1]), records[ids[n]]
    local state = there and there[1] or 'none'
    local alone = string.find('starting passing warning', state, 1, true)
    local silent = ended < by.patience
    if state == 'maintenance' and not silent then -- somebody is at work on it: it stays
    elseif alone and by.waits and ended > by.now - by.ttl_of(there[4]) then -- not yet
    elseif by.keeps and not silent and there and state ~= 'critical' and state ~= 'draining' then
      if there[2] == '0' then
        suspects[#suspects + 1] = id
        redis.call('SADD', keys[5], id)
        restate(keys[2], id, '', by.now, '1', '')
        say(id, 'service_changed', state, state, 'lease over, kept: too many stopped at once', '1')
      end
    else
      gone[#gone + 1] = id
      for at, key in ipairs(keys) do
        redis.call((at == 1 or at == 6) and 'ZREM' or at == 5 and 'SREM' or 'HDEL', key, id)
      end
      say(id, 'service_down', state, 'gone', silent and 'silent for too long'
        or state == 'critical' and 'its check fails' or 'lease over', '0')
      if alone and ended > by.recent then lost = lost + 1 end
    end
  end
  return lost
end
local nothing = function() end
local by = {now = 0, patience = 0, recent = 0}
local keys = {KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]}
return judge(keys, {ARGV[1], '0'}, {}, by, {}, {}, nothing, nothing)
