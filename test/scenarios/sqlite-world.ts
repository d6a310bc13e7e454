/** A world on SQLite, in virtual time, or in real time where sockets need it. */
import { steadyClock } from '../../shared/adapters/system-clock.ts';
import { LEASE_MS } from '../support/core-world.ts';
import { sqliteStores } from '../support/stores.ts';
import { virtualClock } from '../support/virtual-clock.ts';
import type { Open } from './world.ts';
import { worldOn } from './world-on.ts';

export const openSqliteWorld: Open = async (options = {}) => {
  const turned = virtualClock();
  const clock = options.realTime ? steadyClock() : turned;
  const stores = sqliteStores(clock);
  return worldOn(
    {
      isVirtual: !options.realTime,
      clock,
      ...stores,
      // That doorbells come back is the contract of the queue; scenarios deliver them themselves.
      queue: { publish: async () => {} },
      leaseMs: options.leaseMs ?? LEASE_MS,
      retry: {},
      wakeShards: 1,
      pass: options.realTime ? (ms) => new Promise((resolve) => setTimeout(resolve, ms)) : turned.advance,
      until: options.realTime ? (promise) => promise : turned.until,
    },
    options,
  );
};
