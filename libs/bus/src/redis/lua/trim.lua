-- Removes the oldest events of a topic. ARGV: topic, until, limit. Answers how many.
local index, removed = p .. 'topic:' .. ARGV[1], 0
for _, member in ipairs(redis.call('ZRANGE', index, 0, tonumber(ARGV[3]) - 1)) do
  local seq, at = string.match(member, '^(%d+):(%-?%d+)$')
  if tonumber(at) > tonumber(ARGV[2]) then break end
  for _, entry in ipairs(redis.call('XRANGE', p .. 'log', seq .. '-0', seq .. '-0')) do
    remove(entry)
  end
  removed = removed + 1
end
return removed
