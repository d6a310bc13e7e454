/** The console's tests: what jobs used and cost. */
import type { Page } from 'playwright-core';
import { expect, test, vi } from 'vitest';
import { type ConsoleWorld, PATIENCE_MS } from './console-world.ts';

export function usageTests({ open, submit, service }: ConsoleWorld): void {
  /** One job more is over. */
  async function use(): Promise<void> {
    const id = await submit('Count me. [simulate seconds=0]');
    const result = `${service().baseUrl}/api/llm/jobs/${id}/result/`;
    await vi.waitFor(async () => expect((await fetch(result)).status).toBe(200), PATIENCE_MS);
  }
  const today = () => new Date().toISOString().slice(0, 10);
  const usageAsked = (asked: readonly string[], groupBy: string) =>
    asked.filter((text) => text.includes(`/usage/?group_by=${groupBy}`));
  const tableOf = (page: Page, title: string) => page.getByRole('region', { name: `${title}, table` });

  test('usage: the last days as charts and as a table, and what used it', async () => {
    await use();
    const { page, check, close } = await open('usage');
    await page.getByRole('img', { name: /^Cost per day\. \$0 in all\./ }).waitFor();
    await page.getByRole('img', { name: /^Tokens per day\. .* in, .* out\. The most on / }).waitFor();
    await page.getByRole('img', { name: /^Jobs per day\. .* in all\. The most on / }).waitFor();
    await page.getByText('The days as a table').click();
    const days = await tableOf(page, 'Day').locator('tbody tr').allTextContents();
    expect(days).toHaveLength(7);
    expect(days.at(-1)).toMatch(new RegExp(`^${today()}[1-9]`));
    await tableOf(page, 'Model').getByRole('rowheader', { name: 'simulated', exact: true }).waitFor();
    await check();
    await page.getByRole('radio', { name: 'Model' }).focus();
    await page.keyboard.press('ArrowRight');
    await tableOf(page, 'Job type').getByRole('rowheader', { name: 'General LLM request' }).waitFor();
    await page.keyboard.press('ArrowRight');
    await tableOf(page, 'Experiment').getByRole('rowheader', { name: 'none' }).waitFor();
    await check();
    await page.route(/group_by=day/, async (route) => {
      const response = await route.fetch();
      const { total, ...report } = (await response.json()) as { total: object };
      await route.fulfill({ response, json: { ...report, total: { ...total, truncated: true } } });
    });
    await page.getByRole('button', { name: 'Look again' }).click();
    await page.getByText('There are more jobs on these days than were counted').waitFor();
    await close();
  });

  test('usage: of 90 days, in a small window; the API is asked for a month at a time, and not again by itself', async () => {
    await use();
    const { page, check, close, asked } = await open('usage', { width: 360, height: 740 });
    await page.getByRole('button', { name: '90 days' }).click();
    await page
      .getByRole('img', { name: /^Jobs per day/ })
      .locator('.day')
      .nth(89)
      .waitFor({ state: 'attached' });
    await tableOf(page, 'Model').getByRole('rowheader', { name: 'simulated', exact: true }).waitFor();
    expect(await page.getByRole('button', { name: '90 days' }).getAttribute('aria-pressed')).toBe('true');
    const before = usageAsked(asked(), 'day');
    const days = before.slice(-3).map((text) => /from=(.*)&to=(.*)$/.exec(text)?.slice(1).map(Date.parse) ?? []);
    expect(days.map(([from = 0, to = 0]) => (to - from) / 86_400_000 + 1)).toEqual([31, 31, 28]);
    await check();
    const again = page.getByRole('button', { name: 'Look again' });
    await again.click();
    await page.locator('button[aria-disabled=false]', { hasText: 'Look again' }).waitFor();
    expect(usageAsked(asked(), 'day')).toEqual([...before, ...before.slice(-3)]);
    await close();
  });

  test('usage: days that are wrong are named, and nothing is asked; on days without jobs it says so', async () => {
    const { page, check, close, asked } = await open('usage');
    await page.getByRole('radio', { name: 'Model' }).or(page.getByText('No job was submitted')).first().waitFor();
    const before = usageAsked(asked(), 'day').length;
    await page.getByLabel('From').fill('2025-02-01');
    await page.getByLabel('to', { exact: true }).fill('2025-01-01');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText('The first day must not be after the last one.').waitFor();
    expect(usageAsked(asked(), 'day')).toHaveLength(before);
    await page.getByLabel('to', { exact: true }).fill('2025-02-02');
    await page.getByRole('button', { name: 'Show', exact: true }).click();
    await page.getByText('No job was submitted on these days.').waitFor();
    await check();
    await close();
  });

  test('usage: an account, where there are none', async () => {
    const { page, check, close } = await open('usage');
    await page.getByLabel('User id').fill('somebody');
    await page.getByRole('button', { name: 'Show the account' }).click();
    await page.getByText('Credits are off here: jobs take from no account.').waitFor();
    await check();
    await close();
  });
}
