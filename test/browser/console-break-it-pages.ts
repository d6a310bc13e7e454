/** Pages with the bar that breaks the service: what a test presses there, and reads. */
import type { Page } from 'playwright-core';
import { vi } from 'vitest';
import type { BreakItState } from '../../functions/console/break-it/break-it-state.ts';
import type { JobView } from '../../shared/client/client.ts';
import type { ConsoleWorld } from './console-world.ts';

/** What the table says of one attempt. */
type Shown = Record<'n' | 'outcome' | 'error' | 'recorded', string>;

/** In the page: keeps all that it tells. */
const KEEPS_TOLD = `globalThis.told = [];
new MutationObserver(() => {
  const text = document.querySelector('.break-it [role=status]')?.textContent;
  if (text && text !== told.at(-1)) told.push(text);
}).observe(document, { subtree: true, childList: true, characterData: true });`;
const TEST_MS = 60_000;

/** Pages that keep what the bar tells, and what to press and to read there. */
export function breakItPages({ open: openConsole, service }: Pick<ConsoleWorld, 'open' | 'service'>) {
  const open: ConsoleWorld['open'] = async (...where) => {
    const opened = await openConsole(...where);
    await opened.page.addInitScript(KEEPS_TOLD);
    await opened.page.evaluate(KEEPS_TOLD);
    return opened;
  };
  const api = async <T>(path: string) => (await fetch(`${service().baseUrl}${path}`)).json() as Promise<T>;
  const state = () => api<BreakItState>('/break-it/');

  const bar = (page: Page) => page.getByRole('region', { name: 'Break it', exact: true });
  /** It was told since the page was loaded; what is told for a second is not missed. */
  const told = (page: Page, text: RegExp) =>
    vi.waitUntil(async () => (await page.evaluate<string[]>('told')).some((each) => text.test(each)), {
      ...{ timeout: TEST_MS, interval: 100 },
    });
  const click = (page: Page, name: string) => bar(page).getByRole('button', { name }).click();

  /** The newest job in the table, attempt by attempt, and how often its provider was called. */
  async function newest(page: Page): Promise<{ attempts: Shown[]; counted: string; job: JobView }> {
    const rows = bar(page).getByRole('table').locator('tbody').first();
    const href = await rows.getByRole('link').getAttribute('href');
    const cells = await rows
      .getByRole('row')
      .evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.innerText)));
    const attempts = cells.map(([n = '', outcome = '', error = '', recorded = '']) => ({
      n,
      outcome,
      error,
      recorded,
    }));
    const job = await api<JobView>(`/api/llm/jobs/${href?.split('/').at(-1)}/status/`);
    return { attempts, counted: cells[0]?.[4] ?? '', job };
  }

  const counter = async (page: Page, name: string) =>
    Number(await bar(page).locator('dl > div', { hasText: name }).locator('dd').innerText());

  /** Loads the page again, to which the service says something else of itself. */
  async function reloadWith(page: Page, change: (body: BreakItState) => BreakItState): Promise<void> {
    await page.route('**/break-it/', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: change((await response.json()) as BreakItState) });
    });
    // What comes live would say otherwise.
    await page.route('**/break-it/stream/', (route) => route.abort());
    await page.reload();
  }

  return { open, state, bar, told, click, newest, counter, reloadWith };
}
