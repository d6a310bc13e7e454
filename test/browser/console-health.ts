/** The console's tests: health. */
import { expect, test } from 'vitest';
import type { ConsoleWorld } from './console-world.ts';

export function healthTests({ open, submit, ended }: ConsoleWorld): void {
  test('health: what answers, what waits and runs, what failed and which models there are; each asked for once', async () => {
    const opened = await open('usage');
    const { page } = opened;
    const before = opened.asked().length;
    await page.getByRole('link', { name: 'Health' }).click();
    await page.getByText(/^● Answers in \d+ ms$/).waitFor();
    await page.getByText(/^● Arrive in \d+ ms$/).waitFor();
    for (const name of ['Waiting', 'Running']) {
      const card = page.locator('.card').filter({ has: page.getByRole('heading', { name }) });
      await card.getByText(/^(No job|(More than )?\d+ jobs?)$/).waitFor();
    }
    await page.getByRole('rowheader', { name: 'simulated' }).waitFor();
    await page.getByText('They cannot be used yet: set OPENAI_API_KEY').waitFor();
    const asks = ['/health', '/jobs/stream/', 'status=pending', 'status=processing', '/models/'];
    const asked = opened.asked().slice(before);
    expect(asks.map((path) => asked.filter((text) => text.includes(path)).length)).toEqual([1, 1, 1, 1, 1]);

    // The service is shared: others may have submitted a hundred since.
    const again = page.getByRole('button', { name: 'Look again' });
    do {
      expect(await ended(await submit('Fail. [simulate seconds=0.1 fail=context_overflow]'))).toBe('failed');
      await again.click();
      await page.locator('button[aria-disabled=false]', { hasText: 'Look again' }).waitFor();
    } while (!(await page.getByText(/× The input is too long for the model\./).isVisible()));
    expect(await again.evaluate((button) => button === document.activeElement)).toBe(true);
    await page.getByText(/^As of \d\d \w{3}, \d\d:\d\d:\d\d$/).waitFor();
    await opened.check();
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.setViewportSize({ width: 360, height: 740 });
    await opened.check();

    const body = { success: false, error: 'Something broke.', code: 'internal_error', request_id: 'r-2' };
    await page.route('**/api/llm/models/', (route) => route.fulfill({ status: 403, json: body }));
    await again.click();
    await page.getByRole('alert').getByText('Something broke.').waitFor();
    // What was true before says nothing of now.
    expect(await page.getByRole('rowheader', { name: 'simulated' }).count()).toBe(0);
    await page.unroute('**/api/llm/models/');
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await opened.close();
  });
}
