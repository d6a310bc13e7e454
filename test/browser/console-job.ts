/** The console's tests: the page of a job, in each of its states, and what can be done there. */
import type { Locator, Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { type ConsoleWorld, PATIENCE_MS } from './console-world.ts';

const NARROW = { width: 360, height: 740 };

export function jobTests({ open, submit, service }: ConsoleWorld): void {
  const badge = (page: Page) => page.getByRole('heading', { level: 1 });
  const untilShown = (locator: Locator) => locator.first().waitFor();
  const untilEnd = (page: Page, word: string) => untilShown(badge(page).getByText(word));
  const rows = (page: Page) => page.getByRole('region', { name: 'Attempts, table' }).locator('tbody tr');
  /** A job that begins when there is somebody to see it: to open a page takes a while on a busy machine. */
  async function openWith(prompt: string, more: Record<string, unknown> = {}, size?: typeof NARROW) {
    const opened = await open('health', size);
    const id = await submit(prompt, more);
    await goTo(opened.page, id);
    return { ...opened, id };
  }
  const goTo = (page: Page, id: string) =>
    page.evaluate((hash) => {
      window.location.hash = hash;
    }, `#/jobs/${id}`);
  const focused = (page: Page) =>
    page.evaluate(() => document.activeElement !== document.body && document.activeElement?.textContent);
  const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();

  test('job: one that runs, with its progress, its stage and its text; cancelled, it keeps the text that had come', async () => {
    const { page, check, close } = await openWith(
      'Never mind. [simulate seconds=40 kilobytes=60]',
      { stream: true },
      NARROW,
    );
    await untilEnd(page, 'Running');
    await untilShown(page.getByRole('progressbar', { name: /Progress: \d+ %/ }));
    await untilShown(page.getByRole('listitem').filter({ hasText: 'Calling LLM' }));
    const text = page.getByRole('region', { name: 'Text so far' }).locator('pre');
    await untilShown(text);
    expect(await rows(page).allTextContents()).toEqual([expect.stringMatching(/^1Running/)]);
    await check();
    const grown = async () => {
      const had = (await text.textContent()) ?? '';
      await page.waitForFunction(
        (had) => (document.querySelector('.live-text')?.textContent ?? '').length > had,
        had.length,
      );
      return had;
    };
    await page.waitForFunction(() => (document.querySelector('.live-text')?.scrollTop ?? 0) > 100);
    // It follows its end, but for who reads further up.
    await text.evaluate((element) => {
      element.scrollTop = 0;
    });
    const soFar = await grown();
    expect(await text.evaluate((element) => element.scrollTop)).toBe(0);
    await press(page, 'Cancel');
    await untilEnd(page, 'Cancelled');
    expect(await page.getByRole('region', { name: 'Text that had come' }).textContent()).toContain(soFar);
    expect(await rows(page).allTextContents()).toEqual([expect.stringMatching(/^1Cancelled/)]);
    expect(await page.getByRole('button', { name: 'Cancel' }).isDisabled()).toBe(true);
    expect(await page.getByRole('button', { name: 'Retry' }).isDisabled()).toBe(false);
    expect(await focused(page)).toBe('Cancel');
    await check();
    await close();
  });

  test('job: its result, what it took and who submitted what, by one connection', async () => {
    const more = { stream: true, tags: ['shown'], metadata: { who: 'me' } };
    const { page, check, close, asked, id } = await openWith('Tell it. [simulate seconds=2]', more);
    await untilEnd(page, 'Completed');
    const result = await page.getByRole('region', { name: 'Result, text' }).textContent();
    expect(result).toMatch(/^This is a simulated answer to "Tell it."/);
    expect(await page.locator('.live-text').count()).toBe(0);
    expect(await rows(page).allTextContents()).toEqual([expect.stringMatching(/^1Worked.*in, .* out\$0$/)]);
    expect(await page.locator('.facts').allTextContents()).toEqual([
      expect.stringContaining('BillingAll of it is shown'),
      expect.stringContaining('Tagsshownmetadata.whome'),
    ]);
    await check();
    // Nothing was asked for that nobody opened.
    expect(asked().filter((text) => text.includes(id))).toEqual([`GET /api/llm/jobs/${id}/stream/`]);
    await close();
  });

  test('job: an attempt that failed, and the one that worked', async () => {
    const metadata = { ['long'.repeat(10)]: 'l'.repeat(200) };
    const tags = ['t'.repeat(64)];
    const id = await submit('Try again. [simulate fail=network times=1 seconds=0]', { metadata, tags });
    const { page, check, close } = await open(`jobs/${id}`, NARROW);
    await untilEnd(page, 'Completed');
    expect(await rows(page).allTextContents()).toEqual([
      expect.stringMatching(/^1Failed.*The connection to the provider broke network1/),
      expect.stringMatching(/^2Worked/),
    ]);
    await check();
    await close();
  });

  test('job: why one failed, and its retry', async () => {
    const id = await submit('No. [simulate fail=auth seconds=0]');
    const { page, check, close } = await open(`jobs/${id}`);
    const why = page.getByRole('region', { name: 'The provider did not accept the key' });
    await untilShown(why.getByText('The simulated model was told to fail: auth.'));
    expect(await why.textContent()).toContain("Mend the provider's key, then retry.");
    await check();
    expect(await page.getByRole('button', { name: 'Cancel' }).isDisabled()).toBe(true);
    const refusal = { success: false, error: 'Your account has too few credits.', code: 'insufficient_credits' };
    await page.route(/\/retry\/$/, (route) => route.fulfill({ status: 402, json: refusal }));
    await press(page, 'Retry');
    await untilShown(page.getByRole('alert').getByText(refusal.error));
    await page.unroute(/\/retry\/$/);
    await press(page, 'Retry');
    await untilShown(page.getByRole('link', { name: id }));
    const retried = page.url().split('/').at(-1) ?? '';
    expect(retried).not.toBe(id);
    await untilEnd(page, 'Failed');
    await page.getByRole('link', { name: id }).click();
    await untilShown(page.getByRole('heading', { name: 'The provider did not accept the key' }));
    // What is over another process may remember for some seconds as it was.
    await vi.waitFor(async () => {
      await page.reload();
      await page.getByRole('link', { name: retried }).waitFor({ timeout: 2_000 });
    }, PATIENCE_MS);
    await close();
  });

  test('job: an answer that could not be used', async () => {
    const response_schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
    const prompt = 'Broken. [simulate json=broken seconds=0]';
    const id = await submit('', { input_data: { prompt, response_schema } });
    const { page, check, close } = await open(`jobs/${id}`);
    const rejected = page.getByRole('region', { name: 'The answer that could not be used, text' });
    await untilShown(rejected);
    expect(await rejected.textContent()).toMatch(/^\{/);
    await check();
    await close();
  });

  test('job: deleting one asks first', async () => {
    const id = await submit('Forget me. [simulate seconds=0]');
    const { page, check, close } = await open(`jobs/${id}`);
    const status = async () => (await fetch(`${service().baseUrl}/api/llm/jobs/${id}/status/`)).status;
    await untilEnd(page, 'Completed');
    const question = page.getByRole('dialog', { name: 'Delete this job?' });
    await press(page, 'Delete');
    await untilShown(question);
    await check();
    await page.keyboard.press('Escape');
    await question.waitFor({ state: 'hidden' });
    expect(await status()).toBe(200);
    expect(await focused(page)).toBe('Delete');
    await press(page, 'Delete');
    await press(page, 'Delete it');
    await untilShown(page.getByText('The job was deleted.'));
    expect(await focused(page)).toContain('The job was deleted.');
    await check();
    await vi.waitFor(async () => expect(await status()).toBe(404), PATIENCE_MS);
    await close();
  });

  test('job: one that is not there', async () => {
    const { page, check, close } = await open(`jobs/${crypto.randomUUID()}`);
    await untilShown(page.getByText('There is no such job.'));
    await check();
    await page.getByRole('link', { name: 'All jobs' }).click();
    await page.waitForURL(/#\/jobs$/);
    await close();
  });

  test('job: its input, its webhook and its id, on demand', async () => {
    const webhook = { url: 'https://example.invalid/hook' };
    const id = await submit('With a hook. [simulate seconds=0]', { webhook });
    const { page, check, close, asked } = await open(`jobs/${id}`, NARROW);
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    await untilEnd(page, 'Completed');
    expect(asked().filter((text) => /input|deliveries/.test(text))).toEqual([]);
    await page.getByText('Input', { exact: true }).click();
    await untilShown(page.getByRole('region', { name: 'Input, JSON' }).getByText('With a hook.'));
    await page.getByText('Webhook', { exact: true }).click();
    await untilShown(page.getByText(webhook.url));
    await press(page, 'Copy the id');
    await untilShown(page.getByText('Copied'));
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(id);
    expect(await page.getByRole('link', { name: 'Use as a new job' }).getAttribute('href')).toBe(`#/new?like=${id}`);
    await check();
    await close();
  });

  test('job: a result that is large is loaded when somebody wants it, and shown in part at first', async () => {
    const id = await submit('Much. [simulate kilobytes=400 seconds=0]');
    const { page, check, close, asked } = await open('health');
    const path = `${service().baseUrl}/api/llm/jobs/${id}/result/`;
    await vi.waitFor(async () => expect((await fetch(path, { method: 'HEAD' })).status).toBe(200), PATIENCE_MS);
    await goTo(page, id);
    const load = page.getByText(/^Load the result \(4\d\d KB\)$/);
    await untilShown(load);
    expect(asked().filter((text) => text.endsWith('/result/'))).toEqual([]);
    await load.click();
    const result = page.getByRole('region', { name: 'Result, text' });
    await untilShown(result);
    expect((await result.textContent())?.length).toBe(100_000);
    await page.getByRole('button', { name: /^Show all of it/ }).click();
    expect((await result.textContent())?.length).toBeGreaterThan(400_000);
    await check();
    await close();
  });

  test('job: a page that was offline goes on where it was', async () => {
    const { page, close, asked } = await openWith('Come back. [simulate seconds=40]', { stream: true });
    const text = page.locator('.live-text');
    await untilShown(text);
    const broken = page.waitForEvent('requestfailed', (request) => request.url().includes('/stream/'));
    await page.context().setOffline(true);
    await broken;
    const before = (await text.textContent()) ?? '';
    await page.context().setOffline(false);
    await page.waitForFunction((had) => {
      const now = document.querySelector('.live-text')?.textContent ?? '';
      return now.length > had.length && now.startsWith(had);
    }, before);
    expect(asked().filter((text) => text.includes('/stream/?starting_after='))).not.toEqual([]);
    // Who leaves the page leaves the job, too; long before its end.
    const left = page.waitForEvent('requestfailed', {
      predicate: (request) => request.url().includes('/stream/?starting_after='),
      timeout: 10_000,
    });
    await page.getByRole('link', { name: 'Usage' }).click();
    await left;
    await close();
  });
}
