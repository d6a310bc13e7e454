/** `WindowLimiter` in memory, on virtual time. */
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import { virtualClock } from '../support/virtual-clock.ts';
import { windowLimiterContract } from './window-limiter.ts';

windowLimiterContract('memory', async () => {
  const clock = virtualClock();
  return { limiters: [memoryWindowLimiter({ clock })], wait: clock.advance, async close() {} };
});
