/** The console's list in front of as many stored jobs as one likes: how soon it shows, and how it scrolls. */
import type { Browser, Page } from 'playwright-core';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { request } from './http-client.ts';
import { startLocalProcess } from './local-process.ts';

export type ManyJobs = { baseUrl: string; stop(): Promise<unknown> };

const BATCH_JOBS = 500;

/** `npm start` with so many jobs that are over. */
export async function startWithJobs(count: number): Promise<ManyJobs> {
  const environment = { PORT: String(await freePort()), DATABASE_URL: ':memory:', SIMULATED_MS: '0' };
  const { baseUrl, child } = await startLocalProcess({ ...environment, OPENAI_API_KEY: '', GEMINI_API_KEY: '' });
  for (let left = count; left > 0; left -= BATCH_JOBS) {
    const jobs = Array(Math.min(left, BATCH_JOBS)).fill(request('simulated', 'one of many'));
    await post(`${baseUrl}/api/llm/jobs/batch/`, { jobs });
  }
  for (const status of ['pending', 'processing']) await untilNone(`${baseUrl}/api/llm/jobs/?limit=1&status=${status}`);
  return { baseUrl, stop: () => stopGroup(child) };
}

async function post(url: string, body: object): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
}

async function untilNone(url: string): Promise<void> {
  for (;;) {
    const { jobs } = (await (await fetch(url)).json()) as { jobs: object[] };
    if (jobs.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** How long it takes from the click to the first rows, in milliseconds, and the page as it is then. */
export async function openList(browser: Browser, baseUrl: string): Promise<{ ms: number; page: Page }> {
  const page = await (await browser.newContext({ viewport: { width: 1_280, height: 900 } })).newPage();
  const startedMs = performance.now();
  await page.goto(`${baseUrl}/#/jobs`);
  await page.locator('a.job').first().waitFor();
  return { ms: performance.now() - startedMs, page };
}

export type Scrolled = { rows: number; frames: number; longestMs: number; longMs: number };

/** As text: what translates this file would put names of its own into it. */
const SCROLLING = `async (wanted) => {
  const scrolled = { rows: 0, frames: 0, longestMs: 0, longMs: 0 };
  let lastMs = await new Promise(requestAnimationFrame);
  while (scrolled.rows < wanted) {
    window.scrollBy(0, window.innerHeight / 2);
    const nowMs = await new Promise(requestAnimationFrame);
    const ms = nowMs - lastMs;
    lastMs = nowMs;
    scrolled.frames += 1;
    scrolled.longestMs = Math.max(scrolled.longestMs, ms);
    if (ms > 50) scrolled.longMs += ms;
    if (scrolled.frames % 10 === 0) scrolled.rows = document.querySelectorAll('a.job').length;
  }
  return scrolled;
}`;

/** Scrolls half a screen in each frame until there are so many rows; `longMs` adds up the frames over 50 ms. */
export function scrollThrough(page: Page, rowsWanted: number): Promise<Scrolled> {
  return page.evaluate<Scrolled>(`(${SCROLLING})(${rowsWanted})`);
}
