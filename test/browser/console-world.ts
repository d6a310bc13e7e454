/** The console in a browser, against a running service: what all tests of its pages start from, and what holds for each. */
import type { Browser, Page } from 'playwright-core';
import { expect } from 'vitest';
import { violationsOf } from '../support/axe.ts';

export const PATIENCE_MS = 30_000;

/** Where the console is served. `name` is that of the stack, for what differs. */
export type ConsoleService = { name: 'npm start' | 'emulators'; baseUrl: string };

export type ConsoleWorld = {
  service: () => ConsoleService;
  /** A tab of its own, at this address behind `#`. */
  open(path: string, size?: { width: number; height: number }): Promise<OpenedConsole>;
  /** Submits a job by the API, and answers its id. */
  submit(prompt: string, more?: Record<string, unknown>): Promise<string>;
  /** The status of a job when it is over. */
  ended(jobId: string): Promise<string>;
};

export type OpenedConsole = {
  page: Page;
  /** What was asked of the service: method and path with its query. */
  asked(): string[];
  /** Looks that axe-core finds nothing, and that nothing is wider than the window. */
  check(): Promise<void>;
  /** Closes it; fails when a script threw, the policy refused something, or another host was asked. */
  close(): Promise<void>;
};

export function consoleWorld(started: () => { service: ConsoleService; browser: Browser }): ConsoleWorld {
  const service = () => started().service;
  return {
    service,

    async open(path, size = { width: 1280, height: 900 }) {
      const { baseUrl } = service();
      const context = await started().browser.newContext({ viewport: size });
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const asked: string[] = [];
      const wrong: string[] = [];
      page.on('pageerror', (error) => wrong.push(String(error)));
      page.on('console', (message) => {
        if (/Content Security Policy|Trusted Type/i.test(message.text())) wrong.push(message.text());
      });
      page.on('request', (request) => {
        const { origin, pathname, search } = new URL(request.url());
        if (origin === baseUrl) asked.push(`${request.method()} ${pathname}${search}`);
        else wrong.push(`asked ${request.url()}`);
      });
      await page.goto(`${baseUrl}/#/${path}`);
      await page.waitForSelector('main');
      return {
        page,
        asked: () => asked,
        async check() {
          expect(await violationsOf(page)).toEqual([]);
          const [inner, outer] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
          expect(inner).toBeLessThanOrEqual(outer ?? 0);
        },
        async close() {
          expect(wrong).toEqual([]);
          await context.close();
        },
      };
    },

    async submit(prompt, more = {}) {
      const response = await fetch(`${service().baseUrl}/api/llm/jobs/submit/`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({
          ...{ job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt }, ...more },
        }),
      });
      const { job_id } = (await response.json()) as { job_id: string };
      return job_id;
    },

    async ended(jobId) {
      for (;;) {
        const response = await fetch(`${service().baseUrl}/api/llm/jobs/${jobId}/status/?wait=20`);
        const { status, is_complete } = (await response.json()) as { status: string; is_complete: boolean };
        if (is_complete) return status;
      }
    },
  };
}
