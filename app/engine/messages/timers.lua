-- Peek at due timers and lease them to the caller; they are removed only after they were fired in SQL.
--
-- KEYS[1]  sorted set: timer id -> time it is due, milliseconds
-- ARGV[1]  now, ARGV[2]  how many at most, ARGV[3]  for how long the caller leases them, milliseconds
-- Returns the ids. A caller that dies leaves them to be returned again when the lease is over.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[1] + ARGV[3], id)
end
return due
