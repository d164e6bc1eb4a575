-- Prolong the leases of instances of one service, by the server's clock.
-- KEYS[1]  leases   KEYS[2]  fences   KEYS[3+]  the hash of each instance, in the order of ARGV
-- ARGV[1]  how many   ARGV[2+]  their ids, then their fences, then their leases in ms
-- Returns  {now in ms, ids that are not known, ids that a later process has taken over}
local count = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local fences = redis.call('HMGET', KEYS[2], unpack(ARGV, 2, count + 1))
local missing, replaced, scores, kept = {}, {}, {}, 0
local call, last, score = redis.call, nil, nil
for at = 1, count do
  local id, own, lease = ARGV[at + 1], ARGV[count + at + 1], ARGV[2 * count + at + 1]
  if fences[at] ~= own then
    local held, mine = tonumber(fences[at] or ''), tonumber(own)
    local into = held and held <= 9e15 and held > mine and replaced or missing -- 9e15: nobody's
    into[#into + 1] = id
  elseif call('PEXPIRE', KEYS[at + 2], lease) == 0 then
    missing[#missing + 1] = id
  else
    if lease ~= last then last, score = lease, string.format('%.0f', now + lease) end
    kept = kept + 1
    scores[2 * kept - 1], scores[2 * kept] = score, id
  end
end
if kept > 0 and redis.call('ZADD', KEYS[1], 'XX', 'GT', 'CH', unpack(scores)) < kept then
  for at = 2, 2 * kept, 2 do
    if not redis.call('ZSCORE', KEYS[1], scores[at]) then missing[#missing + 1] = scores[at] end
  end
end
return {now, missing, replaced}
