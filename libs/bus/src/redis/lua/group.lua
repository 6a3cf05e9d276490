-- Makes a group when there is none. ARGV: name, pattern, after, limit, idle.
-- Answers what it follows; an empty text when there are too many.
local p = KEYS[1]
local pattern = redis.call('HGET', p .. 'groups', ARGV[1])
if pattern then
  -- Members that are long gone and hold nothing are forgotten.
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', p .. 'log', ARGV[1])) do
    local of = {}
    for i = 1, #info, 2 do of[info[i]] = info[i + 1] end
    if of['pending'] == 0 and of['idle'] > tonumber(ARGV[5]) then
      redis.call('XGROUP', 'DELCONSUMER', p .. 'log', ARGV[1], of['name'])
    end
  end
  return pattern
end
if redis.call('HLEN', p .. 'groups') >= tonumber(ARGV[4]) then return '' end
redis.call('XGROUP', 'CREATE', p .. 'log', ARGV[1], ARGV[3] .. '-0', 'MKSTREAM')
redis.call('HSET', p .. 'groups', ARGV[1], ARGV[2])
return ARGV[2]
