/** The simulation's checker, each of its rules, against stores that break it. */
import { describe, expect, test } from 'vitest';
import { BROKEN_STORES } from '../simulation/broken-stores.ts';
import { simulate } from '../simulation/simulate.ts';

/** Some rules are broken in one seed of many. */
const SEEDS_MOST = 200;

describe('the checker finds', () => {
  test.each(BROKEN_STORES)(
    '%s (%s)',
    async (_, rules, brokenStore, where) => {
      const found = new Set<string | undefined>();
      for (let seed = 1; seed <= SEEDS_MOST && !rules.every((rule) => found.has(rule)); seed++) {
        const { violations } = await simulate({ seed, faultRate: 0.05, ...where?.(), brokenStore });
        for (const violation of violations) found.add(violation.split(' ')[0]);
      }
      expect([...found]).toEqual(expect.arrayContaining(rules));
    },
    120_000,
  );
});
