/** The console's tests: dead letters. The service is shared: a page sees the failed jobs of its own test alone. */
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import type { ConsoleWorld } from './console-world.ts';

const FAILED = /\/api\/llm\/jobs\/\?status=failed/;

export function deadLettersTests({ open, submit, ended }: ConsoleWorld): void {
  /** Failed jobs, and a page that sees no others. */
  async function openWith(prompts: string[]): Promise<Awaited<ReturnType<typeof open>> & { ids: string[] }> {
    const ids = await Promise.all(prompts.map((prompt) => submit(prompt)));
    expect(await Promise.all(ids.map(ended))).toEqual(prompts.map(() => 'failed'));
    const opened = await open('jobs');
    await opened.page.route(FAILED, async (route) => {
      const response = await route.fetch();
      const { next_cursor, ...list } = (await response.json()) as { jobs: { job_id: string }[]; next_cursor?: string };
      const jobs = list.jobs.filter(({ job_id }) => ids.includes(job_id));
      await route.fulfill({ response, json: { ...list, jobs } });
    });
    await opened.page.getByRole('link', { name: 'Dead letters' }).click();
    return { ...opened, ids };
  }
  const letterOf = (page: Page, jobId: string) =>
    page.getByRole('listitem').filter({ has: page.locator(`a[href="#/jobs/${jobId}"]`) });

  test('dead letters: failed jobs stand by their reasons, and are retried, one or all', async () => {
    const [auth, policy] = ['Fail. [simulate seconds=0.1 fail=auth]', 'No. [simulate seconds=0.1 fail=content_policy]'];
    const { page, ids, ...opened } = await openWith([auth, policy, auth]);
    await page.getByRole('heading', { name: 'The provider did not accept the key 2' }).waitFor();
    await page.getByRole('heading', { name: 'The answer was withheld by a content policy 1' }).waitFor();
    await page.getByText('Word the prompt differently.').waitFor();
    await opened.check();

    const [first = '', ...others] = ids;
    const retried = letterOf(page, first).getByRole('link', { name: 'Retried' });
    await letterOf(page, first).getByRole('button', { name: 'Retry' }).click();
    await retried.waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Retried');
    expect(await retried.getAttribute('href')).toMatch(/^#\/jobs\/[0-9a-f-]{36}$/);
    await page.getByRole('button', { name: 'Retry all 2' }).click();
    for (const id of others) await letterOf(page, id).getByRole('link', { name: 'Retried' }).waitFor();
    await page.getByRole('button', { name: /^Retry/ }).waitFor({ state: 'detached' });
    expect(opened.asked().filter((text) => /^POST .*\/retry\/$/.test(text))).toHaveLength(3);

    // The service remembers it.
    await page.getByRole('button', { name: 'Look again' }).click();
    await retried.waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    await page.emulateMedia({ colorScheme: 'dark' });
    await opened.check();
    await opened.close();
  });

  test('dead letters: a retry that is refused says why; all that run are stopped', async () => {
    const prompt = 'Fail. [simulate seconds=0.1 fail=auth]';
    const { page, ids, ...opened } = await openWith([prompt, prompt, prompt]);
    let refuse = () => {};
    const refused = new Promise<void>((resolve) => {
      refuse = resolve;
    });
    const body = { success: false, error: 'Your account has too few credits.', code: 'insufficient_credits' };
    await page.route(/\/retry\/$/, async (route) => {
      await refused;
      await route.fulfill({ status: 402, json: body });
    });
    await page.getByRole('button', { name: 'Retry all 3' }).click();
    await page.getByText('Retried 0 of 3').waitFor();
    await page.getByRole('button', { name: 'Stop retrying' }).click();
    await page.getByRole('button', { name: 'Retry all 3' }).waitFor();
    refuse();
    await letterOf(page, ids[0] ?? '')
      .getByRole('button', { name: 'Retry' })
      .click();
    await letterOf(page, ids[0] ?? '')
      .getByText('too few credits')
      .waitFor();
    expect(opened.asked().filter((text) => /^POST .*\/retry\/$/.test(text))).toHaveLength(2);
    await opened.close();
  });

  test('dead letters: nothing failed', async () => {
    const opened = await openWith([]);
    await opened.page.getByText('Nothing failed.').waitFor();
    await opened.check();
    await opened.close();
  });
}
