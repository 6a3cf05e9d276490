-- Keeps an event, unless one of its id is kept. ARGV: id, topic, payload, source,
-- publisher, published, keep. Answers whether it is new, and its sequence.
local seen = redis.call('HGET', p .. 'ids', ARGV[1])
if seen then return {0, tonumber(seen)} end
local number = redis.call('INCR', p .. 'seq')
local seq = string.format('%d', number)
redis.call('XADD', p .. 'log', seq .. '-0', 'id', ARGV[1], 'topic', ARGV[2], 'payload', ARGV[3],
  'source', ARGV[4], 'publisher', ARGV[5], 'published', ARGV[6])
redis.call('HSET', p .. 'ids', ARGV[1], seq)
redis.call('ZADD', p .. 'topic:' .. ARGV[2], seq, seq .. ':' .. ARGV[6])
redis.call('SADD', p .. 'topics', ARGV[2])
local floor = number - tonumber(ARGV[7])
if floor > 0 then
  -- A few at a time: one publish pays for sixteen at most.
  local old = redis.call('XRANGE', p .. 'log', '-', string.format('%d', floor) .. '-0', 'COUNT', 16)
  for _, entry in ipairs(old) do remove(entry) end
end
redis.call('PUBLISH', p .. 'wake', seq)
return {1, number}
