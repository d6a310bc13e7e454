/** The first minutes with the console: what each run looks at; the rest of its tests are long. */
import { expect, test } from 'vitest';
import { breakItPages } from './console-break-it-pages.ts';
import type { ConsoleWorld } from './console-world.ts';

export function newcomerTests(world: ConsoleWorld): void {
  test('a newcomer submits the example, watches it, and finds it among the jobs and in what was used', async () => {
    const opened = await world.open('');
    const { page } = opened;
    await page.getByRole('heading', { name: 'Jobs', level: 1 }).waitFor();
    await opened.check();
    await page.getByRole('link', { name: 'New job', exact: true }).click();
    await page.getByRole('button', { name: 'Submit', exact: true }).click();
    await page.waitForURL(/#\/jobs\/[0-9a-f-]{36}$/);
    const id = page.url().slice(-36);
    await page.getByText(/^This is a simulated answer to/).waitFor();
    await page.getByRole('heading', { name: 'Result' }).waitFor();
    await page.getByText('Copy as curl, client or React').click();
    await page.getByText("curl 'http").waitFor();
    await opened.check();
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    const row = page.locator(`a.job[href="#/jobs/${id}"]`);
    await row.getByText('Completed').waitFor();
    await page.getByRole('link', { name: 'Usage', exact: true }).click();
    await page.getByRole('row', { name: /^simulated/ }).waitFor();
    await opened.check();
    expect(opened.asked().filter((line) => line.startsWith('PUT '))).toEqual([`PUT /api/llm/jobs/${id}/`]);
    await opened.close();
  });

  test('a newcomer kills the worker, in a small window, and the job survives', async () => {
    const { open, bar, click, told, newest, state } = breakItPages(world);
    const opened = await open('health', { width: 360, height: 740 });
    const { page } = opened;
    await click(page, 'Break it');
    await click(page, 'Kill the worker mid-call');
    await told(page, /^Killed the worker/);
    await told(page, /^The job completed in attempt 2\./);
    expect((await newest(page)).attempts.map(({ outcome }) => outcome)).toEqual(['✕ Lost', '● Completed']);
    await bar(page).getByText('Holds').waitFor();
    expect((await state()).counters.kills).toBe(1);
    await opened.check();
    await opened.close();
  });
}
