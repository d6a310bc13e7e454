/** The React hook in a real browser, in Strict Mode, against a service: whatever people do to the page, it is one job. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findChromium, launchChromium } from '../support/chromium.ts';
import { reactPage } from './react-page.ts';

const SCRIPT = readFileSync(join(import.meta.dirname, 'hook-page.jsx'), 'utf8');
const PATIENCE_MS = 30_000;
const QUIET_MS = 1_500;
const JOBS = '/api/llm/jobs/';

/** Counts the timers that a page has set and that have not run. */
const COUNT_TIMERS = () => {
  const { setTimeout, clearTimeout } = window;
  const timers = new Set<number>();
  const replaced = {
    setTimeout(callback: () => void, ms?: number) {
      const timer = setTimeout(() => {
        timers.delete(timer);
        callback();
      }, ms);
      timers.add(timer);
      return timer;
    },
    clearTimeout(timer: number) {
      timers.delete(timer);
      clearTimeout(timer);
    },
    timers,
  };
  Object.assign(window, replaced);
};

type Seen = { status: string; progress: number; text: string; isPending: boolean };
type Service = { baseUrl: string; stop(): Promise<unknown> };

type Opened = {
  page: Page;
  tag: string;
  /** What was asked of the service: `PUT <job id>`, `GET <job id>/stream`. */
  asked(): string[];
  /** `andThen` happens in the same turn. */
  submit(prompt: string, andThen?: string): Promise<string>;
  do(what: 'cancel' | 'resume' | 'reset'): Promise<void>;
  show(isThere: boolean): Promise<void>;
  untilStatus(status: string): Promise<void>;
  untilText(): Promise<void>;
  textOf(element: 'p' | 'pre' | 'strong'): Promise<string | null>;
  seen(): Promise<Seen[]>;
  close(): Promise<void>;
};

export function hookPagesSuite(name: string, start: () => Promise<Service>): void {
  describe.skipIf(findChromium() === undefined)(`the React hook in a browser, on ${name}`, () => {
    let service: Service;
    let browser: Browser;
    let html: string;

    beforeAll(async () => {
      [service, browser, html] = await Promise.all([
        start(),
        launchChromium(),
        reactPage(SCRIPT, import.meta.dirname, 'development'),
      ]);
    });
    afterAll(async () => {
      await browser?.close();
      await service?.stop();
    });

    /** A tab; without `context` in a browser that has no other. */
    async function open(context?: BrowserContext, query = ''): Promise<Opened> {
      const page = await (context ?? (await browser.newContext())).newPage();
      const asked: string[] = [];
      const errors: string[] = [];
      const tag = crypto.randomUUID();
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('request', (request) => {
        const { pathname } = new URL(request.url());
        if (pathname.startsWith(JOBS)) {
          asked.push(`${request.method()} ${pathname.slice(JOBS.length).replace(/\/$/, '')}`);
        }
      });
      await page.addInitScript(COUNT_TIMERS);
      await page.route(`${service.baseUrl}/page*`, (route) => route.fulfill({ contentType: 'text/html', body: html }));
      await page.goto(`${service.baseUrl}/page${query}`);
      const article = page.locator('article');
      return {
        ...{ page, tag, asked: () => asked },
        submit(prompt, andThen = '') {
          const asked = { job_type: 'general_llm_request', model_id: 'simulated', stream: true, tags: [tag] };
          const submission = JSON.stringify({ ...asked, input_data: { prompt } });
          return page.evaluate(`{ const jobId = window.page.submit(${submission}); ${andThen}; jobId; }`);
        },
        do: (what) => page.evaluate(`window.page.${what}()`),
        show: (isThere) => page.evaluate(`window.page.show(${isThere})`),
        untilStatus: (status) =>
          page.locator(`article[data-status=${status}]`).waitFor({ state: 'attached', timeout: PATIENCE_MS }),
        async untilText() {
          await vi.waitUntil(async () => ((await article.locator('p').textContent()) ?? '').length > 20, {
            timeout: PATIENCE_MS,
          });
        },
        textOf: (element) => article.locator(element).textContent({ timeout: PATIENCE_MS }),
        seen: () => page.evaluate('window.page.seen'),
        async close() {
          expect(errors).toEqual([]);
          await (context ? page.close() : page.context().close());
        },
      };
    }

    const jobsOf = ({ page, tag }: Opened) => page.evaluate(`window.page.count('${tag}')`);

    describe.concurrent('a component', () => {
      test('submits once, shows the text as it comes, and the result', async () => {
        const opened = await open();
        const jobId = await opened.submit('Say hello. [simulate seconds=4]');
        await opened.untilStatus('completed');
        const text = await opened.textOf('p');
        expect(text).toContain('Say hello.');
        expect(await opened.textOf('pre')).toBe(text);
        const seen = await opened.seen();
        const lengths = seen.map((each) => each.text.length);
        expect(lengths).toEqual([...lengths].sort((one, other) => one - other));
        // A busy machine shows several pieces at once.
        expect(new Set(lengths).size).toBeGreaterThan(2);
        const progress = seen.map((each) => each.progress);
        expect(progress).toEqual([...progress].sort((one, other) => one - other));
        expect(seen.map(({ status }) => status)).toEqual(expect.arrayContaining(['idle', 'submitting', 'processing']));
        expect(opened.asked()).toEqual([`PUT ${jobId}`, `GET ${jobId}/stream`]);
        expect(await opened.page.evaluate('window.page.functions.size')).toBe(4);
        expect(await opened.page.evaluate('[timers.size, sessionStorage.length]')).toEqual([0, 0]);
        await opened.close();
      });

      test('goes on with its job after a reload, with one stream', async () => {
        const opened = await open();
        const jobId = await opened.submit('Come back. [simulate seconds=6]');
        await opened.untilText();
        const before = opened.asked().length;
        await opened.page.reload();
        // From the first moment.
        expect(await opened.page.locator('article').getAttribute('data-job')).toBe(jobId);
        await opened.untilStatus('completed');
        expect(await opened.textOf('pre')).toBe(await opened.textOf('p'));
        expect(opened.asked().slice(before)).toEqual([`GET ${jobId}/stream`]);
        expect((await opened.seen()).every(({ status }) => !['idle', 'submitting'].includes(status))).toBe(true);
        expect(await jobsOf(opened)).toBe(1);
        await opened.close();
      });

      test('that is reloaded before its submit got through submits it again, as the same job', async () => {
        const opened = await open();
        const { page } = opened;
        await page.route(`${service.baseUrl}${JOBS}**`, () => {}, { times: 1 });
        const jobId = await opened.submit('Hold on.');
        await opened.untilStatus('submitting');
        await page.reload();
        await opened.untilStatus('completed');
        expect(opened.asked()).toEqual([`PUT ${jobId}`, `PUT ${jobId}`, `GET ${jobId}/stream`]);
        expect(await jobsOf(opened)).toBe(1);
        await opened.close();
      });

      test('asks nothing more when it leaves, and goes on when it is back', async () => {
        const opened = await open();
        const jobId = await opened.submit('Come and go. [simulate seconds=4]');
        await opened.untilText();
        expect(await opened.page.evaluate('timers.size')).toBeGreaterThan(0);
        await opened.show(false);
        await opened.page.locator('article').waitFor({ state: 'detached' });
        const before = [...opened.asked()];
        expect(await opened.page.evaluate('timers.size')).toBe(0);
        await opened.page.waitForTimeout(QUIET_MS);
        expect(opened.asked()).toEqual(before);
        await opened.show(true);
        await opened.untilStatus('completed');
        expect(opened.asked()).toEqual([...before, `GET ${jobId}/stream`]);
        expect(await jobsOf(opened)).toBe(1);
        await opened.close();
      });

      test('that leaves right after the click has submitted', async () => {
        const opened = await open();
        const jobId = await opened.submit('Gone at once. [simulate seconds=1]', 'window.page.show(false)');
        await vi.waitUntil(async () => (await jobsOf(opened)) === 1, { timeout: PATIENCE_MS });
        await opened.page.waitForTimeout(200);
        expect(opened.asked()).not.toContain(`GET ${jobId}/stream`);
        await opened.show(true);
        await opened.untilStatus('completed');
        await opened.close();
      });

      test('has a job of its own in each tab', async () => {
        const one = await open(await browser.newContext());
        const other = await open(one.page.context());
        const ids = [
          await one.submit('To one. [simulate seconds=1]'),
          await other.submit('To other. [simulate seconds=1]'),
        ];
        expect(new Set(ids).size).toBe(2);
        await Promise.all([one.untilStatus('completed'), other.untilStatus('completed')]);
        expect([await one.textOf('pre'), await other.textOf('pre')]).toEqual([
          expect.stringContaining('To one.'),
          expect.stringContaining('To other.'),
        ]);
        await other.close();
        await one.close();
        await one.page.context().close();
      });

      test('has another job under another key', async () => {
        const opened = await open();
        const first = await opened.submit('The first. [simulate seconds=4]');
        await opened.untilText();
        await opened.page.evaluate("window.page.call('other')");
        await opened.untilStatus('idle');
        const second = await opened.submit('The second.');
        await opened.untilStatus('completed');
        await opened.page.evaluate("window.page.call('job')");
        expect(await opened.page.locator('article').getAttribute('data-job')).toBe(first);
        await opened.untilStatus('completed');
        expect(await opened.textOf('pre')).toContain('The first.');
        const streams = [first, second, first].map((jobId) => `GET ${jobId}/stream`);
        expect(opened.asked()).toEqual([`PUT ${first}`, streams[0], `PUT ${second}`, streams[1], streams[2]]);
        await opened.close();
      });

      test('cancels its job', async () => {
        const opened = await open();
        const jobId = await opened.submit('Never mind. [simulate seconds=60]');
        await opened.untilStatus('processing');
        await opened.do('cancel');
        await opened.untilStatus('cancelled');
        expect(await opened.page.locator('strong, progress').count()).toBe(0);
        expect(opened.asked()).toEqual([`PUT ${jobId}`, `GET ${jobId}/stream`, `POST ${jobId}/cancel`]);
        await opened.close();
      });

      test('shows why its job failed', async () => {
        const opened = await open();
        await opened.submit('[simulate fail=content_policy]');
        await opened.untilStatus('failed');
        expect(await opened.page.locator('strong').getAttribute('title')).toBe('content_policy');
        expect(await opened.textOf('strong')).toMatch(/^[A-Z].*\.$/);
        await opened.close();
      });

      test('stops at its time limit, and goes on when it is told', async () => {
        const opened = await open(undefined, '?limit=2500');
        const jobId = await opened.submit('Slowly. [simulate seconds=4]');
        await opened.page.locator('strong[title=wait_timeout]').waitFor({ timeout: PATIENCE_MS });
        const before = [...opened.asked()];
        expect(await opened.page.evaluate('timers.size')).toBe(0);
        await opened.page.waitForTimeout(300);
        expect(opened.asked()).toEqual(before);
        await opened.do('resume');
        await opened.untilStatus('completed');
        expect(opened.asked()).toEqual([...before, `GET ${jobId}/stream`]);
        await opened.close();
      });
    });
  });
}
