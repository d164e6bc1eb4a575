-- Announce sessions that have ended, each of them once.
-- KEYS[1]  sorted set: "<handle>:<principal>" of every live session by when it expires
-- KEYS[2]  stream: the announcements
-- ARGV[1]  how they ended               ARGV[2]  now, milliseconds
-- ARGV[3]  most entries of the stream   ARGV[4]  most sessions to announce
-- ARGV[5]  "" for those named below; else all whose score is at or below this
-- ARGV[6+] members that have ended
-- Returns  how many were announced
local members = {}
if ARGV[5] == '' then
  for at = 6, #ARGV do
    members[#members + 1] = ARGV[at]
  end
else
  members = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[5], 'LIMIT', 0, ARGV[4])
end
local told = 0
for _, member in ipairs(members) do
  if redis.call('ZREM', KEYS[1], member) == 1 then
    local handle, principal = string.match(member, '^(.-):(.*)$')
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'how', ARGV[1], 'handle', handle,
      'principal', principal, 'at', ARGV[2])
    told = told + 1
  end
end
return told
