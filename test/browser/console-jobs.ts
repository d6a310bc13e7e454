/** The console's tests: the list of jobs. Each looks at jobs of its own, by a tag. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { pollUntil } from '../support/http-client.ts';
import type { ConsoleWorld } from './console-world.ts';

const STREAM = /^GET \/api\/llm\/jobs\/stream\//;

export function jobsTests({ open, submit, ended, service }: ConsoleWorld): void {
  const rowOf = (page: Page, jobId: string) => page.locator(`a.job[href="#/jobs/${jobId}"]`);
  const newTag = () => crypto.randomUUID();
  const askedOfApi = (asked: string[]) => asked.filter((text) => / \/(api|health)/.test(text));

  async function submitMany(prompts: string[], tag: string): Promise<string[]> {
    const jobs = prompts.map((prompt) => ({
      ...{ job_type: 'general_llm_request', model_id: 'simulated', tags: [tag], input_data: { prompt } },
    }));
    const response = await fetch(`${service().baseUrl}/api/llm/jobs/batch/`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ jobs }),
    });
    const { items } = (await response.json()) as { items: { job_id: string }[] };
    return items.map(({ job_id }) => job_id);
  }

  test('jobs: one that is submitted appears, runs and ends before one’s eyes, by one request', async () => {
    const tag = newTag();
    const opened = await open(`jobs?tag=${tag}`);
    const { page } = opened;
    await page.getByText('No job matches these filters.').waitFor();
    const jobId = await submit('Say hello. [simulate seconds=2]', { tags: [tag] });
    const row = rowOf(page, jobId);
    await row.getByText('Running').waitFor();
    await row.getByRole('progressbar').waitFor();
    await row.getByText('Completed').waitFor();
    expect(await row.textContent()).toMatch(/General LLM request.*Simulated.*ago.*took \d/);
    const failed = await submit('Fail. [simulate seconds=0.1 fail=auth]', { tags: [tag] });
    await rowOf(page, failed).getByText('told to fail: auth').waitFor();
    // The newest first.
    expect(await page.locator('a.job').first().getAttribute('href')).toBe(`#/jobs/${failed}`);
    expect(askedOfApi(opened.asked())).toEqual([expect.stringMatching(STREAM)]);
    await opened.check();
    await page.emulateMedia({ colorScheme: 'dark' });
    await opened.check();
    await opened.close();
  });

  test('jobs: one that is deleted goes; the whole row leads to the job, also by keyboard', async () => {
    const tag = newTag();
    const [kept = '', deleted = ''] = await submitMany(['One.', 'Another.'], tag);
    const opened = await open(`jobs?tag=${tag}`, { width: 360, height: 740 });
    const { page } = opened;
    await rowOf(page, deleted).waitFor();
    await fetch(`${service().baseUrl}/api/llm/jobs/${deleted}/`, { method: 'DELETE' });
    await rowOf(page, deleted).waitFor({ state: 'detached' });
    await opened.check();
    await rowOf(page, kept).press('Enter');
    await page.waitForURL(`**/#/jobs/${kept}`);
    await page.goBack();
    await rowOf(page, kept).waitFor();
    await opened.close();
  });

  test('jobs: filters stand in the address, and are cleared; Back takes them back', async () => {
    const tag = newTag();
    const [good = '', bad = ''] = await submitMany(['Say hello.', 'Fail. [simulate fail=auth]'], tag);
    const opened = await open(`jobs?tag=${tag}`);
    const { page } = opened;
    await rowOf(page, good).getByText('Completed').waitFor();
    await rowOf(page, bad).getByText('Failed').waitFor();
    expect(await page.getByLabel('Tag').inputValue()).toBe(tag);
    await page.getByLabel('Status').selectOption('Failed');
    await rowOf(page, good).waitFor({ state: 'detached' });
    await rowOf(page, bad).waitFor();
    expect(page.url()).toContain('status=failed');
    await page.goBack();
    await rowOf(page, good).waitFor();
    expect(await page.getByLabel('Status').inputValue()).toBe('');
    await page.getByRole('link', { name: 'Clear filters' }).click();
    await page.waitForURL('**/#/jobs');
    expect(await page.getByLabel('Tag').inputValue()).toBe('');
    // One that has no field stays, beside those that have.
    await page.goto(`${service().baseUrl}/#/jobs?question_id=q-17`);
    await page.getByLabel('Status').selectOption('Running');
    await page.waitForURL(/question_id=q-17/);
    await page.waitForURL(/status=processing/);
    await opened.close();
  });

  test('jobs: a filter that cannot be is told of beside its field', async () => {
    const opened = await open('jobs');
    const { page } = opened;
    const model = page.getByLabel('Model');
    await model.fill('gpt-0');
    await model.press('Enter');
    await page.locator('#model-wrong', { hasText: 'no such model' }).waitFor();
    expect(await model.getAttribute('aria-describedby')).toBe('model-wrong');
    await opened.check();
    await model.fill('simulated');
    await page.getByRole('button', { name: 'Filter', exact: true }).click();
    await page.locator('#model-wrong').waitFor({ state: 'detached' });
    await opened.close();
  });

  test('jobs: who reads further down gets older ones, and is not moved by new ones', async () => {
    const tag = newTag();
    const [slow = ''] = await submitMany(['Slow. [simulate seconds=300]'], tag);
    // Its row shows for good what it was when it was loaded.
    await pollUntil(service().baseUrl, slow, ({ status }) => status === 'processing');
    await submitMany(Array(110).fill('Quick. [simulate seconds=0.02]'), tag);
    const opened = await open(`jobs?tag=${tag}`);
    const { page } = opened;
    await page.getByText('100 jobs are shown.').waitFor();
    expect(await rowOf(page, slow).count()).toBe(0);
    await page.getByRole('button', { name: 'Older jobs' }).focus();
    await rowOf(page, slow).waitFor();
    await page.getByText('All 111 jobs are shown. The newest 100 are live').waitFor();
    expect(opened.asked().filter((text) => text.includes('cursor='))).toHaveLength(1);

    // Nobody tells of that one any more.
    await rowOf(page, slow).getByText('Running').waitFor();
    await fetch(`${service().baseUrl}/api/llm/jobs/${slow}/cancel/`, { method: 'POST' });
    expect(await ended(slow)).toBe('cancelled');
    const again = page.getByRole('button', { name: 'Look again at' });
    await again.click();
    await rowOf(page, slow).getByText('Cancelled').waitFor();
    await again.waitFor({ state: 'detached' });

    const before = await rowOf(page, slow).boundingBox();
    const fresh = await submit('New.', { tags: [tag] });
    const button = page.getByRole('button', { name: '1 new job', exact: true });
    await button.waitFor();
    expect(await rowOf(page, fresh).count()).toBe(0);
    expect(await rowOf(page, slow).boundingBox()).toEqual(before);
    await opened.check();
    await button.click();
    await rowOf(page, fresh).waitFor();
    await button.waitFor({ state: 'detached' });
    expect(await page.evaluate(() => window.scrollY)).toBe(0);

    // Who comes back from a job is where they were; who goes to the list anew is at its top.
    await rowOf(page, slow).press('Enter');
    await page.waitForURL(`**/#/jobs/${slow}`);
    await page.waitForFunction(() => window.scrollY === 0);
    await page.goBack();
    await page.waitForFunction((href) => document.activeElement?.getAttribute('href') === href, `#/jobs/${slow}`);
    expect(await page.evaluate(() => window.scrollY)).toBeGreaterThan(1_000);
    expect(opened.asked().filter((text) => text.includes('cursor='))).toHaveLength(1);
    await page.getByRole('link', { name: 'Usage' }).click();
    await page.getByRole('link', { name: 'llm-jobs' }).click();
    await page.waitForFunction(() => document.activeElement?.tagName === 'MAIN' && window.scrollY === 0);
    await opened.close();
  });

  test('jobs: while it is open nothing is asked, and times go on', async () => {
    const tag = newTag();
    const jobId = await submit('Say hello.', { tags: [tag] });
    const opened = await open(`jobs?tag=${tag}`);
    const { page } = opened;
    const ago = rowOf(page, jobId).locator('time');
    await rowOf(page, jobId).getByText('Completed').waitFor();
    const [asked, first] = [opened.asked().length, await ago.textContent()];
    await page.waitForTimeout(2_500);
    expect(await ago.textContent()).not.toBe(first);
    expect(opened.asked()).toHaveLength(asked);
    await opened.close();
  });

  test('jobs: an error of the service is told, and asked about again', async () => {
    const opened = await open('health');
    const { page } = opened;
    const body = { success: false, error: 'You may not read jobs.', code: 'unauthenticated', request_id: 'r-1' };
    await page.route('**/api/llm/jobs/stream/**', (route) => route.fulfill({ status: 401, json: body }));
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.getByRole('alert').getByText('You may not read jobs.').waitFor();
    await page.getByText('Set a token, at the top of the page.').waitFor();
    await opened.check();
    await page.unroute('**/api/llm/jobs/stream/**');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByText('● Live').waitFor();
    await opened.close();
  });
}
