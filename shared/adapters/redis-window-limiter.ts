/**
 * `WindowLimiter` on Redis: one window for all instances, changed by one script on Redis's own clock. While Redis gives no
 * answer, each instance counts for itself.
 */
import { slotMsOf, strideOf, WHOLES_MOST, type WindowLimiter } from '../core/windows.ts';
import type { RedisLink } from './redis-link.ts';
import { redisScript } from './redis-script.ts';

export type RedisWindowLimiterOptions = {
  link: RedisLink;
  /** Counts while Redis does not. */
  fallback: WindowLimiter;
};

/** `takeWithin`. Answers how long to wait, and in which slot it was taken. */
const take = redisScript(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local most, ms, owed, slot_ms, stride = unpack(ARGV)
most, ms, owed, slot_ms, stride = tonumber(most), tonumber(ms), tonumber(owed), tonumber(slot_ms), tonumber(stride)
local function gone_at(slot) return (slot + 1) * slot_ms + ms end
local all, counting, sum = redis.call('HGETALL', KEYS[1]), {}, 0
for at = 1, #all, 2 do
  local slot, taken = tonumber(all[at]), tonumber(all[at + 1])
  if gone_at(slot) > now then
    table.insert(counting, { slot, taken })
    sum = sum + taken
  else
    redis.call('HDEL', KEYS[1], all[at])
  end
end
table.sort(counting, function(a, b) return a[1] < b[1] end)
if sum < most then
  local first = math.floor(now / slot_ms)
  local slot, last = first, first
  if #counting > 0 then last = math.max(last, counting[#counting][1]) end
  while owed > 0 do
    redis.call('HINCRBY', KEYS[1], string.format('%.0f', slot), string.format('%.0f', math.min(owed, most)))
    last = math.max(last, slot)
    owed, slot = owed - most, slot + stride
  end
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', gone_at(last)))
  return { 0, first }
end
local wait = 0
for _, each in ipairs(counting) do
  if sum < most then break end
  sum, wait = sum - each[2], gone_at(each[1]) - now
end
return { wait, 0 }
`);

/** `giveBackTo`, of the parts that are there still. */
const giveBack = redisScript(`
local most, owed, slot, stride = unpack(ARGV)
most, owed, slot, stride = tonumber(most), tonumber(owed), tonumber(slot), tonumber(stride)
while owed > 0 do
  local field = string.format('%.0f', slot)
  if redis.call('HEXISTS', KEYS[1], field) == 1 then
    redis.call('HINCRBY', KEYS[1], field, string.format('%.0f', -math.min(owed, most)))
  end
  owed, slot = owed - most, slot + stride
end
`);

/** Never throws, never waits for more than a moment. */
export function redisWindowLimiter({ link, fallback }: RedisWindowLimiterOptions): WindowLimiter {
  return {
    async take(window, rule, cost) {
      const keys = [`llm-jobs:window:${window}`];
      const { most, ms } = rule;
      const stride = strideOf(rule);
      const owed = Math.min(cost, most * WHOLES_MOST);
      const named = { keys, arguments: [most, ms, owed, slotMsOf(rule), stride].map(String) };
      const asked = await link.ask((client) => take<[waitMs: number, slot: number]>(client, named));
      if (!asked) return fallback.take(window, rule, cost);
      const [waitMs, slot] = asked.answer;
      if (waitMs > 0) return { waitMs };
      const back = { keys, arguments: [most, owed, slot, stride].map(String) };
      return {
        async giveBack() {
          await link.ask((client) => giveBack<null>(client, back));
        },
      };
    },
  };
}
