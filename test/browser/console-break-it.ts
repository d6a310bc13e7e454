/** The console's tests: the bar that breaks the service, and shows that it survives. */
import { describe, expect, test, vi } from 'vitest';
import { breakItPages } from './console-break-it-pages.ts';
import { type ConsoleWorld, type OpenedConsole, PATIENCE_MS } from './console-world.ts';

const HELD = 'Holds: every call was recorded, no job is lost';
const FIRST = { n: '1', recorded: '1' };
const SECOND = { n: '2', outcome: '● Completed', error: '–', recorded: '1' };

export function breakItTests(world: ConsoleWorld): void {
  const { service } = world;
  const { open, state, bar, told, click, newest, counter, reloadWith } = breakItPages(world);

  /** What must hold after each, with so many calls of its job. */
  async function holds(opened: OpenedConsole, calls: number): Promise<void> {
    const { page } = opened;
    await bar(page).getByText(HELD).waitFor();
    expect(await counter(page, 'Calls recorded')).toBe(calls);
    expect(await counter(page, 'Calls the provider counted')).toBe(calls);
    expect(await counter(page, 'Jobs lost')).toBe(0);
    await opened.close();
  }

  test('a worker is killed in the middle of its call: another attempt, the same job', async () => {
    const { counters: before } = await state();
    const opened = await open('jobs');
    const { page } = opened;
    await click(page, 'Kill the worker mid-call');
    await told(page, /^Killed the worker in the middle of attempt 1\. Attempt 2 begins when/);
    await told(page, /^Attempt 1 was lost with its worker\. Attempt 2 asks the provider anew\./);
    // Whoever loads the page again goes on with it.
    await page.reload();
    await told(page, /^The job completed in attempt 2\. The attempt was lost with its worker; the job was not\./);
    const { attempts, counted, job } = await newest(page);
    expect(attempts).toEqual([{ ...FIRST, outcome: '✕ Lost', error: 'Lease lost' }, SECOND]);
    expect(counted).toBe('2');
    expect(job.attempts.map(({ outcome }) => outcome)).toEqual(['lost', 'completed']);
    await holds(opened, 2);
    const { counters } = await state();
    expect(counters.kills - before.kills).toBe(1);
    expect(counters.calls - before.calls).toBe(2);
  });

  test('the store is frozen: what cannot be written waits', async () => {
    const opened = await open('jobs');
    const { page } = opened;
    const asked = vi
      .waitUntil(async () => (await state()).frozen, { timeout: PATIENCE_MS, interval: 50 })
      .then(async () => {
        const askedMs = performance.now();
        const { status } = await fetch(`${service().baseUrl}/api/llm/jobs/?limit=1`);
        return { status, tookMs: performance.now() - askedMs };
      });
    await click(page, 'Freeze the store');
    // Nobody could read it: the answer came after the thaw, or says so.
    const { status, tookMs } = await asked;
    expect(status === 503 || tookMs > 500).toBe(true);
    await told(page, /^Froze the store for 3 s in the middle of attempt 1\./);
    await told(page, /^The job completed in attempt \d\. What could not be written waited, and nothing is missing/);
    expect(await state()).toMatchObject({ frozen: false });
    const { job } = await newest(page);
    expect(job.status).toBe('completed');
    await holds(opened, job.attempts.length);
  });

  // These break nothing for the others.
  describe.concurrent('beside each other', () => {
    test('a message comes twenty times more: one call', async () => {
      const { counters: before } = await state();
      const opened = await open('jobs');
      const { page } = opened;
      await click(page, 'Deliver a message ten times');
      await told(page, /^Delivered its message 10 times, and in the middle 10 times more\./);
      await told(page, /^The job completed in attempt 1\. However often its message came, it made one call: /);
      const { attempts, counted } = await newest(page);
      expect(attempts).toEqual([{ ...SECOND, n: '1' }]);
      expect(counted).toBe('1');
      await vi.waitUntil(async () => (await counter(page, 'Deliveries refused')) >= before.refused_claims + 20, {
        timeout: PATIENCE_MS,
      });
      await holds(opened, 1);
      expect((await state()).counters.deliveries - before.deliveries).toBe(20);
    });

    test('the provider answers 429: the second call waits as long as it asked', async () => {
      const opened = await open('jobs');
      const { page } = opened;
      await click(page, 'Provider answers 429');
      await told(page, /^Attempt 1 was answered with 429\. Attempt 2 is recorded already, and waits for its time\./);
      await told(page, /^The job completed in attempt 2\. The second call waited/);
      const { attempts, counted, job } = await newest(page);
      expect(attempts).toEqual([{ ...FIRST, outcome: '✕ Failed', error: 'Rate limited' }, SECOND]);
      expect(counted).toBe('2');
      const [refused, second] = job.attempts;
      const waitedMs = Date.parse(second?.started_at ?? '') - Date.parse(refused?.ended_at ?? '');
      expect(waitedMs).toBeGreaterThanOrEqual(1_000);
      await holds(opened, 2);
    });

    test('the provider cuts its stream: half an answer counts for nothing', async () => {
      const opened = await open('jobs');
      const { page } = opened;
      await click(page, 'Provider cuts the stream');
      await told(page, /^Attempt 1 was cut off\./);
      await told(page, /^The job completed in attempt 2\. Half an answer counts for nothing/);
      const { attempts, counted } = await newest(page);
      expect(attempts).toEqual([{ ...FIRST, outcome: '✕ Failed', error: 'Network' }, SECOND]);
      expect(counted).toBe('2');
      await holds(opened, 2);
    });

    test('is there for the keyboard, opened and closed, on every page', async () => {
      const opened = await open('health');
      const { page } = opened;
      const toggle = bar(page).getByRole('button', { name: 'Break it' });
      await opened.check();
      expect(await bar(page).getByRole('button').allInnerTexts()).toHaveLength(6);
      await toggle.focus();
      await page.keyboard.press('Enter');
      expect(await toggle.getAttribute('aria-expanded')).toBe('false');
      await opened.check();
      await page.reload();
      expect(await toggle.getAttribute('aria-expanded')).toBe('false');
      await toggle.focus();
      await page.keyboard.press('Space');
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.innerText')).toBe('Kill the worker mid-call');
      await opened.close();
    });

    test('takes one row of a small window until it is opened, and covers nothing', async () => {
      const opened = await open('new', { width: 360, height: 740 });
      const { page } = opened;
      await bar(page).waitFor();
      const heightOf = async () => (await bar(page).boundingBox())?.height ?? 0;
      expect(await heightOf()).toBeLessThan(60);
      await opened.check();
      await click(page, 'Break it');
      await click(page, 'Provider answers 429');
      await told(page, /^The job completed/);
      await opened.check();
      expect(await heightOf()).toBeLessThanOrEqual(740 * 0.6);
      // What the page ends with can be scrolled above the bar.
      await page.evaluate('window.scrollTo(0, document.body.scrollHeight)');
      const main = await page.locator('main').boundingBox();
      expect((main?.y ?? 0) + (main?.height ?? 0)).toBeLessThanOrEqual(((await bar(page).boundingBox())?.y ?? 0) + 1);
      await click(page, 'Break it');
      expect(await heightOf()).toBeLessThan(60);
      await opened.close();
    });

    test('is not there where nothing can be broken', async () => {
      const opened = await open('jobs');
      const { page } = opened;
      await bar(page).waitFor();
      // As the service answers what it does not have.
      await page.route('**/break-it/', (route) => route.continue({ url: `${service().baseUrl}/api/llm/nothing/` }));
      const answered = page.waitForResponse((response) => response.status() === 404);
      await page.reload();
      await answered;
      expect(await bar(page).count()).toBe(0);
      await opened.close();
    });

    test('says why a button cannot be used', async () => {
      const opened = await open('jobs');
      const { page } = opened;
      const why = 'Jobs are kept in memory alone.';
      await reloadWith(page, (body) => ({ ...body, available: { ...body.available, kill_worker: why } }));
      const button = bar(page).getByRole('button', { name: 'Kill the worker mid-call' });
      expect(await button.isDisabled()).toBe(true);
      const described = await button.getAttribute('aria-describedby');
      expect(await page.locator(`#${described}`).innerText()).toContain(why);
      await opened.check();
      await opened.close();
    });

    test('sounds the alarm where a job is not found any more, unless it was deleted here', async () => {
      const opened = await open('jobs');
      const { page } = opened;
      await click(page, 'Provider cuts the stream');
      await bar(page).getByRole('link', { name: 'Provider cuts the stream' }).click();
      await page.locator('main').getByRole('button', { name: 'Delete' }).click();
      await page.getByRole('dialog').getByRole('button', { name: 'Delete it' }).click();
      await bar(page)
        .getByText(/^Each button submits a job of its own/)
        .waitFor();

      await click(page, 'Provider cuts the stream');
      const taken = `JSON.parse(sessionStorage['llm-jobs.victims']).find(({ phase }) => phase === 'taken')?.jobId`;
      const id = await vi.waitUntil(() => page.evaluate<string | undefined>(taken), { timeout: PATIENCE_MS });
      await fetch(`${service().baseUrl}/api/llm/jobs/${id}/`, { method: 'DELETE' });
      await told(page, /not found any more: it is lost, unless somebody deleted it/);
      await bar(page).getByRole('alert').filter({ hasText: 'Alarm: a job is lost' }).waitFor();
      expect(await counter(page, 'Jobs lost')).toBe(1);
      await opened.check();
      await opened.close();
    });

    test('sounds the alarm where the provider counts a call that is not recorded', async () => {
      const opened = await open('jobs');
      const { page } = opened;
      await click(page, 'Provider answers 429');
      await told(page, /^The job completed/);
      const { job } = await newest(page);
      await bar(page).getByText(HELD).waitFor();
      await reloadWith(page, (body) => ({ ...body, calls: { ...body.calls, [job.job_id]: 3 } }));
      await bar(page).getByRole('alert').filter({ hasText: 'Alarm: a call was not recorded' }).waitFor();
      expect(await counter(page, 'Calls recorded')).toBe(2);
      expect(await counter(page, 'Calls the provider counted')).toBe(3);
      await opened.close();
    });
  });
}
