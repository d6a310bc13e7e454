/**
 * `npm run bench -- --only console`: how soon the console's list shows its first rows with 10 stored jobs and with 10,000,
 * in turn and in one run, and how long its longest frame is while one scrolls through several thousand rows.
 */
import { findChromium, launchChromium } from '../support/chromium.ts';
import { type ManyJobs, openList, scrollThrough, startWithJobs } from '../support/console-many.ts';
import { bench, rounded } from './support/bench.ts';
import { median, spread } from './support/statistics.ts';

await bench(
  {
    name: 'console',
    title: 'The console in front of many jobs',
    about:
      'Chromium opens the list of the console, in turn of a service with few stored jobs and of one with many (both npm start’s, in memory), until the first rows are there; then it scrolls through the many, half a screen in each frame.',
  },
  async ({ sized, say, table, plot, leaveOut }) => {
    if (findChromium() === undefined) {
      leaveOut('all', 'there is no Chromium on the PATH, or where CHROMIUM_PATH says');
      return;
    }
    const counts = sized([10, 10_000], [10, 200]);
    const rounds = sized(7, 1);
    const browser = await launchChromium();
    const services: ManyJobs[] = [];
    for (const count of counts) {
      say(`${count} jobs`);
      services.push(await startWithJobs(count));
    }
    const shownMs = new Map(counts.map((count): [number, number[]] => [count, []]));
    // The first of each warms up.
    for (let round = 0; round <= rounds; round++) {
      say(`round ${round} of ${rounds}`);
      for (const [index, { baseUrl }] of services.entries()) {
        const { ms, page } = await openList(browser, baseUrl);
        if (round > 0) shownMs.get(counts[index] ?? 0)?.push(ms);
        await page.context().close();
      }
    }
    const [few = Number.NaN, many = Number.NaN] = [...shownMs.values()].map(median);
    table(`Until the first rows, median of ${rounds} page loads each`, {
      ...Object.fromEntries(
        [...shownMs].map(([count, times]) => [`${count} jobs`, { 'first rows, ms': spread(times) }]),
      ),
      'many : few': { 'first rows, ms': `${rounded(many / few)} ×` },
    });
    plot({
      title: 'Until the first rows',
      kind: 'bars',
      x: { label: '' },
      y: { label: 'ms' },
      points: [...shownMs].map(([count, times]) => ({ x: `${count} jobs`, y: median(times) })),
    });
    say('scrolling');
    const { page } = await openList(browser, services[1]?.baseUrl ?? '');
    const { rows, frames, longestMs, longMs } = await scrollThrough(page, sized(5_000, 100));
    table('Scrolling through the many', {
      [`${rows} rows`]: {
        ...{ frames, 'longest frame, ms': Math.round(longestMs) },
        'frames over 50 ms together, ms': Math.round(longMs),
      },
    });
    await browser.close();
    await Promise.all(services.map((service) => service.stop()));
  },
);
