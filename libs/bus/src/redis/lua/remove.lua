-- Takes one entry of the log away, with all that knows of it.
local p = KEYS[1]
local function remove(entry)
  local field = {}
  for i = 1, #entry[2], 2 do field[entry[2][i]] = entry[2][i + 1] end
  local seq, topic = string.match(entry[1], '^(%d+)'), field['topic']
  redis.call('XDEL', p .. 'log', entry[1])
  redis.call('HDEL', p .. 'ids', field['id'])
  redis.call('ZREMRANGEBYSCORE', p .. 'topic:' .. topic, seq, seq)
  if redis.call('ZCARD', p .. 'topic:' .. topic) == 0 then
    redis.call('SREM', p .. 'topics', topic)
  end
  local trimmed = redis.call('HGET', p .. 'trimmed', topic)
  if not trimmed or tonumber(trimmed) < tonumber(seq) then
    redis.call('HSET', p .. 'trimmed', topic, seq)
  end
end
