/**
 * The client in a real browser, on a page without a bundler that imports `/client.js` from a service: what becomes of it
 * when the page is reloaded, hidden or offline, when the service dies, and when another tab has its way.
 */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../infra/child-processes.ts';
import { findChromium, launchChromium } from '../support/chromium.ts';

const PAGE = readFileSync(join(import.meta.dirname, 'client-page.html'), 'utf8');
const PATIENCE_MS = 30_000;
const OFFLINE_MS = 5_000;
/** What began before the browser was told may still come through. */
const SETTLING_MS = 100;
const JOBS = '/api/llm/jobs/';

// biome-ignore lint/suspicious/noExplicitAny: what the page has and says is what the tests ask
type Anything = any;
declare global {
  interface Window {
    page: Anything;
  }
}

type Service = { baseUrl: string; stop(): Promise<unknown> };
/** One whose processes can be killed, and come back by themselves or when they are told. */
type Mortal = Service & { die(): Promise<unknown>; comeBack(): Promise<unknown> };

type Opened = {
  page: Page;
  /** What was asked of the service, with the method, since `sinceMs` of this process's clock. */
  asked(sinceMs?: number): string[];
  /** Requests that got no answer. */
  broken(): string[];
  close(): Promise<void>;
};

export function clientPagesSuite(
  name: string,
  start: () => Promise<Service>,
  startMortal: () => Promise<Mortal>,
): void {
  describe.skipIf(findChromium() === undefined)(`the client in a browser, on ${name}`, () => {
    let service: Service;
    let mortal: Mortal;
    let browser: Browser;

    beforeAll(async () => {
      [service, mortal, browser] = await Promise.all([start(), startMortal(), launchChromium()]);
    });
    afterAll(async () => {
      await browser?.close();
      await service?.stop();
      await mortal?.stop();
    });

    /** A tab; without `tab` in a browser that has no other. */
    async function open(from: Service = service, tab?: BrowserContext, origin = from.baseUrl): Promise<Opened> {
      const context = tab ?? (await browser.newContext());
      const page = await context.newPage();
      const requests: { text: string; atMs: number }[] = [];
      const failed: string[] = [];
      const errors: string[] = [];
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('request', (request) => {
        const { pathname } = new URL(request.url());
        if (pathname.startsWith(JOBS)) requests.push({ text: `${request.method()} ${pathname}`, atMs: Date.now() });
      });
      page.on('requestfailed', (request) => failed.push(request.url()));
      const body = PAGE.replaceAll('%BASE_URL%', '');
      await page.route(`${from.baseUrl}/page`, (route) => route.fulfill({ contentType: 'text/html', body }));
      await page.goto(`${origin}/page`);
      await page.waitForFunction('window.page');
      return {
        page,
        asked: (sinceMs = 0) => requests.filter(({ atMs }) => atMs >= sinceMs).map(({ text }) => text),
        broken: () => failed,
        async close() {
          expect(errors).toEqual([]);
          await (tab ? page.close() : context.close());
        },
      };
    }

    /** Submits a job that streams, and answers its id. */
    const submit = ({ page }: Opened, prompt: string, tag = 'none') =>
      page.evaluate(([text, tagged]) => window.page.submit(text, tagged) as Promise<string>, [prompt, tag] as const);
    /** Begins to wait for a job and to follow its text. */
    const begin = ({ page }: Opened, jobId: string) => page.evaluate((id) => window.page.begin(id), jobId);
    const untilText = ({ page }: Opened) =>
      page.waitForFunction('window.page.heard.text.length > 10', undefined, { timeout: PATIENCE_MS });
    /** What the page has heard when it is told that the job is over, by both ways. */
    async function untilEnd({ page }: Opened): Promise<Anything> {
      await page.waitForFunction('window.page.heard.waited && window.page.heard.streamed', undefined, {
        timeout: PATIENCE_MS,
      });
      return page.evaluate(() => window.page.heard);
    }
    /** All of the text came, each piece of it once, and it is the result. */
    async function isWhole(opened: Opened): Promise<Anything> {
      const heard = await untilEnd(opened);
      expect(heard.wrong).toEqual([]);
      expect(heard.waited).toMatchObject({ value: { status: 'completed' } });
      expect(heard.streamed).toMatchObject({ value: { status: 'completed' } });
      expect(heard.text).toBe(heard.waited.value.result_data.result);
      expect(heard.last).toBe('done');
      return heard;
    }

    describe.concurrent('a page', () => {
      test('submits, shows the text as it comes, and has the result', async () => {
        const opened = await open();
        const jobId = await submit(opened, 'Say hello. [simulate seconds=6]');
        await begin(opened, jobId);
        const heard = await isWhole(opened);
        expect(heard.lengths.length).toBeGreaterThan(3);
        expect(heard.lengths).toEqual([...heard.lengths].sort((one: number, other: number) => one - other));
        const result = await opened.page.evaluate((id) => window.page.jobs.result(id), jobId);
        expect(result).toMatchObject({ job_id: jobId, status: 'completed', result_data: { result: heard.text } });
        expect(opened.asked()).toContain(`GET ${JOBS}${jobId}/stream/`);
        expect(opened.asked().filter((text) => text.startsWith('PUT'))).toEqual([`PUT ${JOBS}${jobId}/`]);
        await opened.close();
      });

      test('that is reloaded goes on with its job, and makes no second one', async () => {
        const opened = await open();
        const tag = crypto.randomUUID();
        const jobId = await submit(opened, 'Come back. [simulate seconds=4]', tag);
        await begin(opened, jobId);
        await untilText(opened);
        await opened.page.reload();
        await opened.page.waitForFunction('window.page');
        // A page that does not know whether its submit got through sends it again.
        expect(await submit(opened, 'Come back. [simulate seconds=4]', tag)).toBe(jobId);
        await begin(opened, jobId);
        await isWhole(opened);
        expect(await opened.page.evaluate((wanted) => window.page.listed(wanted), tag)).toEqual([jobId]);
        await opened.close();
      });

      test.each([
        ['goes on', 8],
        ['ends meanwhile', 3],
      ])('that is offline for 5 s asks nothing, and loses nothing: the job %s', async (_, seconds) => {
        const opened = await open();
        await begin(opened, await submit(opened, `Be patient. [simulate seconds=${seconds}]`));
        await untilText(opened);
        const before = opened.asked().length;
        await opened.page.context().setOffline(true);
        await opened.page.waitForTimeout(SETTLING_MS);
        const sinceMs = Date.now();
        await opened.page.waitForTimeout(OFFLINE_MS - SETTLING_MS);
        expect(opened.asked(sinceMs)).toEqual([]);
        expect(await opened.page.evaluate(() => window.page.heard.streamed)).toBeUndefined();
        await opened.page.context().setOffline(false);
        await isWhole(opened);
        // It was cut off, both ways.
        expect(opened.broken().length).toBeGreaterThanOrEqual(2);
        expect(opened.asked().length).toBeGreaterThanOrEqual(before + 2);
        await opened.close();
      });

      test('that is hidden asks nothing until it is shown', async () => {
        const opened = await open();
        await begin(opened, await submit(opened, 'Do not look. [simulate seconds=3]'));
        await untilText(opened);
        await opened.page.evaluate(() => window.page.show('hidden'));
        await opened.page.waitForTimeout(SETTLING_MS);
        const sinceMs = Date.now();
        await opened.page.waitForTimeout(4_000);
        expect(opened.asked(sinceMs)).toEqual([]);
        expect(await opened.page.evaluate(() => window.page.heard.waited)).toBeUndefined();
        await opened.page.evaluate(() => window.page.show('visible'));
        await isWhole(opened);
        await opened.close();
      });

      test('survives the death of the service', async () => {
        const opened = await open(mortal);
        await begin(opened, await submit(opened, 'Outlive it. [simulate seconds=4]'));
        await untilText(opened);
        await mortal.die();
        await mortal.comeBack();
        const { waited } = await isWhole(opened);
        expect(waited.value.attempts).toMatchObject([{ outcome: 'lost' }, { outcome: 'completed' }]);
        await opened.close();
      });

      test('in two tabs follows one job', async () => {
        const one = await open();
        const other = await open(service, one.page.context());
        const tag = crypto.randomUUID();
        const jobId = await submit(one, 'To both of you. [simulate seconds=3]', tag);
        await Promise.all([begin(one, jobId), begin(other, jobId)]);
        const [heard, overheard] = await Promise.all([isWhole(one), isWhole(other)]);
        expect(overheard.text).toBe(heard.text);
        expect(await other.page.evaluate((wanted) => window.page.listed(wanted), tag)).toEqual([jobId]);
        await other.close();
        await one.close();
      });

      test('hears that its job was cancelled in another tab', async () => {
        const one = await open();
        const other = await open(service, one.page.context());
        const jobId = await submit(one, 'Never mind. [simulate seconds=20]');
        await begin(one, jobId);
        await untilText(one);
        await other.page.evaluate((id) => window.page.jobs.cancel(id), jobId);
        expect(await untilEnd(one)).toMatchObject({
          ...{ last: 'done', waited: { value: { status: 'cancelled' } }, streamed: { value: { status: 'cancelled' } } },
        });
        await other.close();
        await one.close();
      });

      test.each([
        [false, 'processing'],
        [true, 'cancelled'],
      ])('that gives up asks no more; with cancel: %s its job is %s', async (cancel, status) => {
        const opened = await open();
        const jobId = await submit(opened, 'For ever. [simulate seconds=60]');
        const aborted = await opened.page.evaluate(([id, withCancel]) => window.page.giveUp(id, withCancel), [
          jobId,
          cancel,
        ] as const);
        expect(aborted).toMatchObject({ error: { name: 'AbortError' } });
        const sinceMs = Date.now();
        await opened.page.waitForTimeout(1_500);
        const after = opened.asked(sinceMs).filter((text) => !text.endsWith('/cancel/'));
        expect(after).toEqual([]);
        expect(await opened.page.evaluate((id) => window.page.jobs.get(id), jobId)).toMatchObject({ status });
        await opened.page.evaluate((id) => window.page.jobs.cancel(id), jobId);
        await opened.close();
      });

      test('is told what is wrong', async () => {
        const opened = await open();
        const settled = (code: string) =>
          opened.page.evaluate((source) => window.page.settled(source) as Promise<Anything>, code);
        const before = opened.asked().length;
        const nobody = `{ baseUrl: 'http://127.0.0.1:${await freePort()}' }`;
        expect(await settled("jobs.get('17')")).toMatchObject({
          ...{ error: { name: 'LlmJobsError', code: 'invalid_request', details: [{ path: 'jobId' }] } },
        });
        expect(opened.asked()).toHaveLength(before);
        expect(await settled('jobs.wait(newJobId())')).toMatchObject({
          ...{ error: { code: 'job_not_found', status: 404 } },
        });
        const submission = (prompt: string, more = '') =>
          `{ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: '${prompt}' ${more} } }`;
        expect(await settled(`jobs.submit(${submission('Hi.', ', max_tokens: -5')})`)).toMatchObject({
          ...{ error: { code: 'invalid_request', details: [{ path: 'input_data.max_tokens' }], status: 400 } },
        });
        const jobId = await submit(opened, 'Taken.');
        expect(await settled(`jobs.submit(${submission('Another.')}, { jobId: '${jobId}' })`)).toMatchObject({
          ...{ error: { code: 'idempotency_conflict', status: 409, jobId } },
        });
        expect(await settled(`createClient(${nobody}).get('${jobId}', { timeoutMs: 1500 })`)).toMatchObject({
          ...{ error: { code: 'no_answer', jobId } },
        });
        expect(
          await settled(`jobs.wait('${await submit(opened, '[simulate seconds=60]')}', { timeoutMs: 600 })`),
        ).toMatchObject({ error: { code: 'wait_timeout' } });
        expect(await settled(`jobs.submitAndWait(${submission('[simulate fail=auth]')})`)).toMatchObject({
          ...{ value: { status: 'failed', error_code: 'auth' } },
        });
        await opened.close();
      });

      test('of another origin may do all of it', async () => {
        // Of a page that no server sent, a browser does not know whether it is of this machine, and lets it not call here.
        const elsewhere = createServer((_, response) => {
          response.setHeader('Content-Type', 'text/html').end(PAGE.replaceAll('%BASE_URL%', service.baseUrl));
        });
        await once(elsewhere.listen(0, 'localhost'), 'listening');
        const opened = await open(service, undefined, `http://localhost:${(elsewhere.address() as AddressInfo).port}`);
        let hadTag = 0;
        opened.page.on('request', (request) => {
          if (request.headers()['if-none-match'] && request.method() === 'GET') hadTag += 1;
        });
        const jobId = await submit(opened, 'From elsewhere. [simulate seconds=5]');
        // Whoever is told of the progress asks again after three seconds.
        await opened.page.evaluate((id) => window.page.begin(id, () => {}), jobId);
        await untilText(opened);
        const headers = await opened.page.evaluate((id) => window.page.headersOf(id), jobId);
        expect(headers).toMatchObject({
          ...{ etag: expect.stringMatching(/^W\//), 'retry-after': expect.stringMatching(/^\d+$/) },
        });
        await isWhole(opened);
        expect(hadTag).toBeGreaterThan(0);
        await opened.close();
        elsewhere.close();
      });
    });
  });
}
