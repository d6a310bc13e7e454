/** The console's tests: batches. */
import { describe, expect, test } from 'vitest';
import type { ConsoleWorld } from './console-world.ts';

const BATCH_PAGE = /#\/batches\/([0-9a-f-]{36})$/;
const SUBMIT = { name: 'Submit the batch' };

export function batchesTests({ open, service }: ConsoleWorld): void {
  async function submitBatch(jobs: unknown[]): Promise<{ batch_id: string; items: { job_id: string }[] }> {
    const response = await fetch(`${service().baseUrl}/api/llm/jobs/batch/`, {
      ...{ method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ jobs }) },
    });
    return response.json() as never;
  }
  const one = (prompt: string) => ({
    ...{ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt } },
  });

  describe('batches', () => {
    test('a prompt a line is a job each, whose ends are seen', async () => {
      const opened = await open('batches');
      const { page } = opened;
      await page.getByLabel('Prompts').fill('The first.\n\nThe second.\n  The third. [simulate fail=content_policy]\n');
      await opened.check();
      await page.getByRole('button', SUBMIT).click();
      await page.waitForURL(BATCH_PAGE);
      await page.getByText('All 3 jobs are over.').waitFor();
      await page.getByRole('img', { name: 'Of 3 jobs: 2 completed, 1 failed' }).waitFor();
      const rows = page.getByRole('main').getByRole('link', { name: 'General llm request' });
      await rows.nth(2).waitFor();
      expect(await rows.count()).toBe(3);
      await opened.check();
      await page.setViewportSize({ width: 360, height: 740 });
      await opened.check();
      await page.getByRole('link', { name: 'All batches' }).click();
      const id = BATCH_PAGE.exec(page.url())?.[1] ?? '';
      await page.getByRole('heading', { name: 'Batches' }).waitFor();
      await page.getByRole('table').waitFor();
      expect(id).toBe('');
      await opened.check();
      await opened.close();
    });

    test('it changes while one looks, and is counted only while something happens', async () => {
      const { batch_id: id, items } = await submitBatch([0.5, 1, 60].map((each) => one(`[simulate seconds=${each}]`)));
      const opened = await open(`batches/${id}`);
      const { page, asked } = opened;
      const openedMs = performance.now();
      await page.getByText('66 % of 3 jobs are over.').waitFor();
      await fetch(`${service().baseUrl}/api/llm/jobs/${items[2]?.job_id}/cancel/`, { method: 'POST' });
      await page.getByText('All 3 jobs are over.').waitFor();
      const counted = () => asked().filter((line) => line === `GET /api/llm/jobs/batch/${id}/`).length;
      const before = counted();
      expect(before).toBeLessThanOrEqual(2 + (performance.now() - openedMs) / 2_000);
      // One that was on its way may still come.
      await page.waitForTimeout(2_500);
      expect(counted()).toBeLessThanOrEqual(before + 1);
      expect(asked().filter((line) => line.includes('/jobs/stream/'))).toHaveLength(1);
      await opened.close();
    });

    test('of a large one the oldest jobs are heard of, too, which no list follows', async () => {
      const prompts = Array.from({ length: 110 }, (_, n) => (n === 0 ? '[simulate seconds=60]' : `Number ${n}.`));
      const { batch_id: id, items } = await submitBatch(prompts.map(one));
      const opened = await open(`batches/${id}`);
      const { page, asked } = opened;
      await page.getByRole('img', { name: 'Of 110 jobs: 1 running, 109 completed' }).waitFor({ timeout: 50_000 });
      await fetch(`${service().baseUrl}/api/llm/jobs/${items[0]?.job_id}/cancel/`, { method: 'POST' });
      await page.getByText('All 110 jobs are over.').waitFor();
      expect(asked().filter((line) => line.includes('/jobs/stream/'))).toHaveLength(2);
      await opened.close();
    });

    test('what is refused says why, and stays to be mended', async () => {
      const opened = await open('batches');
      const { page } = opened;
      const jobs = [one('Right.'), { ...one('Wrong.'), timeout: 0 }, { ...one('Wrong, too.'), colour: 'red' }];
      const text = page.getByLabel('Prompts');
      await text.fill(JSON.stringify(jobs));
      await page.getByRole('button', SUBMIT).click();
      await page.getByText('Job 1: timeout: must be a number of seconds').waitFor();
      await page.getByText('Job 2: colour: is not a known field').waitFor();
      expect(JSON.parse(await text.inputValue())).toEqual(jobs.slice(1));
      expect(await text.evaluate((field) => document.activeElement === field)).toBe(true);
      const accepted = await page.getByRole('link', { name: 'their batch' }).getAttribute('href');
      expect(accepted).toMatch(BATCH_PAGE);
      await opened.check();
      // Now none is accepted.
      await page.getByRole('button', SUBMIT).click();
      await page.getByText('Job 1: timeout').waitFor();
      expect(JSON.parse(await text.inputValue())).toEqual(jobs.slice(1));
      await text.fill('[1');
      await page.getByRole('button', SUBMIT).click();
      await page.getByText('It is not JSON').waitFor();
      await text.fill('');
      await page.getByRole('button', SUBMIT).click();
      await page.getByRole('alert').getByText('must hold 1 to 500 jobs').first().waitFor();
      await opened.close();
    });

    test('submitted once more after an error is the same batch', async () => {
      const opened = await open('batches');
      const { page } = opened;
      const keys: (string | undefined)[] = [];
      await page.route('**/api/llm/jobs/batch/', async (route) => {
        keys.push(route.request().headers()['idempotency-key']);
        if (keys.length > 1) return route.continue();
        const json = { success: false, error: 'Your account has too few credits.', code: 'insufficient_credits' };
        await route.fulfill({ status: 402, json });
      });
      await page.getByLabel('Prompts').fill('Only once.');
      await page.getByRole('button', SUBMIT).click();
      await page.getByRole('alert').getByText('too few credits').waitFor();
      expect(await page.getByLabel('Prompts').inputValue()).toBe('Only once.');
      await page.getByRole('button', SUBMIT).click();
      await page.waitForURL(BATCH_PAGE);
      expect(keys).toEqual([keys[0], keys[0]]);
      expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
      await opened.close();
    });

    test('any is found by its id', async () => {
      const opened = await open('batches', { width: 360, height: 740 });
      const { page } = opened;
      const field = page.getByLabel('A batch by its id');
      await field.fill('seventeen');
      await page.getByRole('button', { name: 'Go to it' }).click();
      await page.getByText('must be the id of a batch').waitFor();
      await opened.check();
      const { batch_id: id } = await submitBatch([one('Find me.')]);
      await field.fill(` ${id} `);
      await page.getByRole('button', { name: 'Go to it' }).click();
      await page.getByText('All 1 jobs are over.').waitFor();
      await page.goto(`${service().baseUrl}/#/batches/${crypto.randomUUID()}`);
      await page.getByText('Batch not found').waitFor();
      expect(await page.getByRole('heading', { name: 'Its jobs' }).count()).toBe(0);
      await opened.check();
      await opened.close();
    });
  });
}
