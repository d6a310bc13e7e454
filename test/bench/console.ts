/**
 * `npm run bench:console`: how soon the console's list shows its first rows with 10 stored jobs and with 10,000, in turn and
 * in one run, and how long its longest frame is while one scrolls through several thousand rows.
 */
import { launchChromium } from '../support/chromium.ts';
import { type ManyJobs, openList, scrollThrough, startWithJobs } from '../support/console-many.ts';

const COUNTS = [10, 10_000];
const ROUNDS = 7;
const ROWS = 5_000;

const browser = await launchChromium();
const services: ManyJobs[] = [];
for (const count of COUNTS) services.push(await startWithJobs(count));
const shownMs = new Map(COUNTS.map((count): [number, number[]] => [count, []]));
// The first of each warms up.
for (let round = 0; round <= ROUNDS; round++) {
  for (const [index, { baseUrl }] of services.entries()) {
    const { ms, page } = await openList(browser, baseUrl);
    if (round > 0) shownMs.get(COUNTS[index] ?? 0)?.push(ms);
    await page.context().close();
  }
}
const median = (values: number[]) => [...values].sort((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
const [few = Number.NaN, many = Number.NaN] = COUNTS.map((count) => median(shownMs.get(count) ?? []));
console.log('| stored jobs | first rows after |');
console.log('|---|---|');
console.log(`| ${COUNTS[0]} | ${Math.round(few)} ms |\n| ${COUNTS[1]} | ${Math.round(many)} ms |`);
console.log(`\n${(many / few).toFixed(2)} times as long; medians of ${ROUNDS} page loads each.`);

const { page } = await openList(browser, services[1]?.baseUrl ?? '');
const { rows, frames, longestMs, longMs } = await scrollThrough(page, ROWS);
console.log(`Scrolled through ${rows} rows in ${frames} frames: the longest ${Math.round(longestMs)} ms,`);
console.log(`those over 50 ms together ${Math.round(longMs)} ms.`);
await browser.close();
await Promise.all(services.map((service) => service.stop()));
