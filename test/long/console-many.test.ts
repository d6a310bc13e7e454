/** The console's list in front of 10,000 stored jobs. Bounds are wide: `npm run bench -- --only console` measures. */
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findChromium, launchChromium } from '../support/chromium.ts';
import { type ManyJobs, openList, scrollThrough, startWithJobs } from '../support/console-many.ts';

const ROUNDS = 3;
const SLOWER_MOST = 5;
const FRAME_MS_MOST = 1_000;

describe.skipIf(findChromium() === undefined)('the list of the console', () => {
  let few: ManyJobs;
  let many: ManyJobs;
  let browser: Browser;
  beforeAll(async () => {
    [few, many, browser] = await Promise.all([startWithJobs(10), startWithJobs(10_000), launchChromium()]);
  }, 300_000);
  afterAll(async () => {
    await browser?.close();
    await few?.stop();
    await many?.stop();
  });

  /** The quickest of some. */
  async function quickest({ baseUrl }: ManyJobs): Promise<number> {
    const all: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { ms, page } = await openList(browser, baseUrl);
      all.push(ms);
      await page.context().close();
    }
    return Math.min(...all);
  }

  test('shows its first rows as soon with 10,000 jobs as with 10', async () => {
    await quickest(few);
    const fewMs = await quickest(few);
    expect(await quickest(many)).toBeLessThan(SLOWER_MOST * fewMs);
  });

  test('scrolls through thousands of rows without a stall, and draws what is on the screen alone', async () => {
    const { page } = await openList(browser, many.baseUrl);
    const { rows, longestMs } = await scrollThrough(page, 4_000);
    expect(rows).toBeGreaterThanOrEqual(4_000);
    expect(longestMs).toBeLessThan(FRAME_MS_MOST);
    // What is skipped is not laid out: blocks far away have no boxes for their rows.
    const skipped = await page.evaluate(
      () =>
        [...document.querySelectorAll('a.job')].filter((row) => !row.checkVisibility({ contentVisibilityAuto: true }))
          .length,
    );
    expect(skipped).toBeGreaterThan(3_000);
    await page.context().close();
  });
});
