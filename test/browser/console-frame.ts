/** The console's tests: its frame: where one is, by keyboard too, and what becomes of it without a connection. */
import { expect, test } from 'vitest';
import type { ConsoleWorld } from './console-world.ts';

const PAGES = ['Jobs', 'New job', 'Batches', 'Usage', 'Dead letters', 'Health'];

export function frameTests({ open, submit, service }: ConsoleWorld): void {
  test('frame: one goes from page to page by keyboard, and back', async () => {
    const opened = await open('jobs');
    const { page } = opened;
    const focused = () => page.evaluate(() => document.activeElement?.tagName);
    await page.keyboard.press('Tab');
    const skip = page.getByRole('button', { name: 'Skip to the page' });
    expect(await skip.evaluate((button) => button === document.activeElement)).toBe(true);
    expect(await skip.boundingBox()).toMatchObject({ x: 0 });
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('MAIN');
    const nav = page.getByRole('navigation', { name: 'Pages' });
    expect(await nav.getByRole('link').allTextContents()).toEqual(PAGES);
    for (const name of PAGES.slice(1)) {
      await nav.getByRole('link', { name }).press('Enter');
      await page.waitForFunction((title) => document.title === title, `${name} · llm-jobs`);
      await page.waitForFunction(() => document.activeElement?.tagName === 'MAIN');
      expect(await nav.locator('[aria-current=page]').textContent()).toBe(name);
      expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
    }
    await page.goBack();
    await page.getByRole('heading', { level: 1, name: 'Dead letters' }).waitFor();
    await opened.close();
  });

  test('frame: an address that means nothing says so', async () => {
    const opened = await open('jobs/17');
    await opened.page.getByText('There is no such page.').waitFor();
    await opened.check();
    await opened.page.getByRole('link', { name: 'All jobs' }).click();
    await opened.page.getByRole('heading', { level: 1, name: 'Jobs' }).waitFor();
    await opened.close();
  });

  test.each([
    ['light', 1_280],
    ['dark', 1_280],
    ['light', 360],
    ['dark', 360],
  ] as const)('frame: it is well in %s at %i px', async (colorScheme, width) => {
    const opened = await open('jobs', { width, height: 740 });
    const { page } = opened;
    await page.emulateMedia({ colorScheme });
    await page.getByText('● Live').waitFor();
    const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    expect(paper).toBe(colorScheme === 'light' ? 'rgb(255, 255, 255)' : 'rgb(20, 23, 28)');
    await opened.check();
    await opened.close();
  });

  const NOTE = 'The service does not answer.';

  test('frame: a browser that is offline says so, and goes on by itself', async () => {
    const tag = crypto.randomUUID();
    const opened = await open(`jobs?tag=${tag}`);
    const { page } = opened;
    await page.getByText('● Live').waitFor();
    await page.context().setOffline(true);
    await page.getByText(NOTE).waitFor();
    await page.getByText('○ Not live').waitFor();
    await opened.check();
    const jobId = await submit('Meanwhile.', { tags: [tag] });
    await page.context().setOffline(false);
    await page.locator(`a[href="#/jobs/${jobId}"]`).waitFor();
    await page.getByText(NOTE).waitFor({ state: 'detached' });
    await page.getByText('● Live').waitFor();
    await opened.close();
  });

  test('frame: a service that is not there is told of on each page, which asks again when it is back', async () => {
    const opened = await open('jobs');
    const { page } = opened;
    await page.getByText('● Live').waitFor();
    await page.route(/\/(api|health)/, (route) => route.abort('connectionrefused'));
    await page.getByRole('link', { name: 'Usage' }).click();
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.getByText(NOTE).waitFor();
    await page.unroute(/\/(api|health)/);
    await page.getByText(NOTE).waitFor({ state: 'detached' });
    await page.getByText('● Live').waitFor();
    // Also what was there already, and follows nothing.
    await page.getByRole('link', { name: 'Usage' }).click();
    await page.getByRole('radio', { name: 'Model' }).or(page.getByText('No job was submitted')).first().waitFor();
    await page.context().setOffline(true);
    await page.getByText(NOTE).waitFor();
    const again = page.waitForRequest(/\/usage\/\?group_by=day/);
    await page.context().setOffline(false);
    await again;
    await page.getByText(NOTE).waitFor({ state: 'detached' });
    await opened.close();
  });

  test('frame: a token is sent with what is asked, and kept for the tab alone', async () => {
    const opened = await open('jobs');
    const { page } = opened;
    await page.getByRole('button', { name: 'Set a token' }).click();
    expect(await page.getByLabel('API key or ID token').evaluate((field) => field === document.activeElement)).toBe(
      true,
    );
    await opened.check();
    await page.keyboard.type('secret-1');
    const asking = page.waitForRequest('**/api/llm/jobs/stream/**');
    await page.getByRole('button', { name: 'Use it' }).click();
    expect((await asking).headers().authorization).toBe('Bearer secret-1');
    await page.getByRole('button', { name: 'Token set' }).waitFor();
    const kept = await page.evaluate(() => [Object.values(localStorage), Object.values(sessionStorage)]);
    expect(kept.map((values) => values.includes('secret-1'))).toEqual([false, true]);
    await opened.close();
  });

  test('frame: its policy lets nothing in but its own files, and nothing out but to its own origin', async () => {
    const response = await fetch(`${service().baseUrl}/`);
    const policy = response.headers.get('content-security-policy') ?? '';
    const rules = new Map(policy.split('; ').map((rule): [string, string] => [rule.split(' ')[0] ?? '', rule]));
    expect(rules.get('default-src')).toBe("default-src 'none'");
    for (const name of ['script-src', 'style-src', 'connect-src']) expect(rules.get(name)).toBe(`${name} 'self'`);
    expect(rules.get('frame-ancestors')).toBe("frame-ancestors 'none'");
    expect(await response.text()).not.toMatch(/<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=/);
  });
}
