/** The tests of the console, on one service and in one browser. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe } from 'vitest';
import { findChromium, launchChromium } from '../support/chromium.ts';
import { batchesTests } from './console-batches.ts';
import { breakItTests } from './console-break-it.ts';
import { deadLettersTests } from './console-dead-letters.ts';
import { frameTests } from './console-frame.ts';
import { healthTests } from './console-health.ts';
import { jobTests } from './console-job.ts';
import { jobsTests } from './console-jobs.ts';
import { newTests } from './console-new.ts';
import { newcomerTests } from './console-newcomer.ts';
import { usageTests } from './console-usage.ts';
import { type ConsoleService, consoleWorld } from './console-world.ts';

export function consoleSuite(
  start: () => Promise<ConsoleService & { stop(): Promise<unknown> }>,
  which: 'newcomer' | 'pages' | 'all' = 'all',
): void {
  describe.skipIf(findChromium() === undefined)('the console', () => {
    let service: ConsoleService & { stop(): Promise<unknown> };
    let browser: Browser;
    beforeAll(async () => {
      [service, browser] = await Promise.all([start(), launchChromium()]);
    });
    afterAll(async () => {
      await browser?.close();
      await service?.stop();
    });
    const world = consoleWorld(() => ({ service, browser }));

    if (which === 'newcomer') return newcomerTests(world);

    describe.concurrent('shows', () => {
      // The frame is the same whatever answers.
      if (which === 'all') frameTests(world);
      jobsTests(world);
      jobTests(world);
      newTests(world);
      batchesTests(world);
      usageTests(world);
      deadLettersTests(world);
      healthTests(world);
    });
    // What it breaks is broken for all.
    describe('breaks', () => breakItTests(world));
  });
}
