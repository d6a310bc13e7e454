/** `WindowLimiter` in this process's memory: each instance counts for itself. Its windows are few, and stay. No timers. */
import type { Clock } from '../core/ports.ts';
import { giveBackTo, type Slots, slotAt, takeWithin, type WindowLimiter } from '../core/windows.ts';

export function memoryWindowLimiter({ clock }: { clock: Pick<Clock, 'monotonicMs'> }): WindowLimiter {
  const windows = new Map<string, Slots>();
  const slotsOf = (window: string): Slots => windows.get(window) ?? new Map();

  return {
    async take(window, rule, cost) {
      const nowMs = Math.floor(clock.monotonicMs());
      const { slots, waitMs } = takeWithin(slotsOf(window), nowMs, rule, cost);
      windows.set(window, slots);
      if (waitMs > 0) return { waitMs };
      const slot = slotAt(nowMs, rule);
      return { giveBack: async () => void windows.set(window, giveBackTo(slotsOf(window), slot, rule, cost)) };
    },
  };
}
