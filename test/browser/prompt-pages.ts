/**
 * The two clients of seed 004, as its document has them, in a real browser against a service: the React component and the
 * class. Whatever becomes of a task, the page says so, and stops asking. So does the component with our hook in it, which
 * says the same.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findChromium, launchChromium } from '../support/chromium.ts';
import { reactPage } from './react-page.ts';

const CLIENTS = join(import.meta.dirname, 'seed-004');
const script = (component: string) => `
  import { createElement } from 'react';
  import { createRoot } from 'react-dom/client';
  import PromptGenerator from './${component}';
  const root = createRoot(document.getElementById('root'));
  root.render(createElement(PromptGenerator));
  window.leave = () => root.unmount();
`;
/** `asks` is in the URLs by which a page learns how its task is; the hook hears of the progress where we do not listen. */
const COMPONENTS = [
  { component: 'prompt-generator.jsx', asks: '/status/', showsProgress: '70% - Processing...', lastHeard: 100 },
  {
    component: 'prompt-generator-with-hook.jsx',
    asks: '/stream/',
    lastHeard: undefined,
    showsProgress: /^[1-9]\d% - Processing\.\.\.$/,
  },
];
type Component = (typeof COMPONENTS)[number];
const API = '/api/v1/web-knowledge';
const MANUAL = 'Answer questions about our bakery in Bern.';
/** Its clients ask every second. */
const QUIET_MS = 1_600;
const PATIENCE_MS = 15_000;

/** A page with the component, what it asked, and what it was answered. */
type Opened = {
  page: Page;
  /** How often it asked for its task. */
  polls(): number;
  /** The progress that polls were answered with. */
  progress: number[];
  lastHeard: number | undefined;
  /** The task that was started. */
  taskId(): string;
  errors: string[];
};

// biome-ignore lint/suspicious/noExplicitAny: what the class says is what the tests ask
type Heard = any;

type Service = { baseUrl: string; stop(): Promise<unknown> };

/**
 * `start` brings a service up, on which the simulated model answers within half a second; `startPoor` one whose user has
 * 250 tokens.
 */
export function promptPagesSuite(
  name: string,
  start: () => Promise<Service>,
  startPoor?: () => Promise<Service>,
): void {
  describe.skipIf(findChromium() === undefined)(`prompt generation in a browser, on ${name}`, () => {
    let service: Service;
    let poor: Service | undefined;
    let browser: Browser;
    let pages: Map<Component, string>;
    const theClass = readFileSync(join(CLIENTS, 'prompt-generator-api.js'), 'utf8');

    beforeAll(async () => {
      let built: string[];
      [service, poor, browser, built] = await Promise.all([
        start(),
        startPoor?.(),
        launchChromium(),
        Promise.all(COMPONENTS.map(({ component }) => reactPage(script(component), CLIENTS))),
      ]);
      pages = new Map(COMPONENTS.map((component, n) => [component, built[n] ?? '']));
    });
    afterAll(async () => {
      await browser?.close();
      await service?.stop();
      await poor?.stop();
    });

    async function open(component = COMPONENTS[0] as Component, { baseUrl } = service): Promise<Opened> {
      const { asks, lastHeard } = component;
      const page = await browser.newPage();
      const polls: string[] = [];
      const errors: string[] = [];
      const progress: number[] = [];
      let taskId = '';
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('request', (request) => {
        if (request.url().includes(asks)) polls.push(request.url());
        if (request.method() === 'PUT') taskId = request.url().split('/').at(-2) ?? '';
      });
      page.on('response', async (response) => {
        const body = /generate-prompt-async/.test(response.url()) ? await response.json().catch(() => ({})) : {};
        taskId = body.task_id ?? taskId;
        if (response.url().includes('/status/')) progress.push(body.progress);
      });
      await page.route(`${baseUrl}/page`, (route) =>
        route.fulfill({ contentType: 'text/html', body: pages.get(component) ?? '' }),
      );
      await page.goto(`${baseUrl}/page`);
      await page.evaluate(() => localStorage.setItem('token', 'any'));
      return { page, errors, progress, lastHeard, polls: () => polls.length, taskId: () => taskId };
    }

    /** Writes a prompt and asks for a better one. */
    async function generate({ page }: Opened, prompt: string): Promise<void> {
      await page.fill('textarea', prompt);
      await page.click('text=Generate AI Prompt');
    }

    const resultOf = ({ page }: Opened) => page.locator('.result pre').textContent({ timeout: PATIENCE_MS });
    const errorOf = ({ page }: Opened) => page.locator('.error-message').textContent({ timeout: PATIENCE_MS });

    /** It has said how it ended: from now on it must not ask, and a new task can be started. */
    async function isQuiet(opened: Opened, hasAsked = true): Promise<void> {
      const before = opened.polls();
      expect(before > 0).toBe(hasAsked);
      await opened.page.waitForTimeout(QUIET_MS);
      expect(opened.polls()).toBe(before);
      expect(await opened.page.locator('button').first().textContent()).toBe('Generate AI Prompt');
      expect(opened.progress).toEqual([...opened.progress].sort((one, other) => one - other));
      expect(opened.progress.at(-1)).toBe(opened.lastHeard);
      expect(opened.errors).toEqual([]);
      await opened.page.close();
    }

    describe.concurrent.each(COMPONENTS)('$component', (component) => {
      test('shows a bar, then the prompt', async () => {
        const opened = await open(component);
        await generate(opened, `${MANUAL} [simulate seconds=3]`);
        const bar = opened.page.locator('.progress-text', { hasText: component.showsProgress });
        const [shown] = /^\d+%/.exec((await bar.textContent({ timeout: PATIENCE_MS })) ?? '') ?? [];
        // It may have moved on meanwhile.
        const style = await opened.page.locator('.progress-fill').getAttribute('style');
        expect(Number(/(\d+)%/.exec(style ?? '')?.[1])).toBeGreaterThanOrEqual(Number.parseInt(shown ?? '', 10));
        expect(await opened.page.locator('textarea').isDisabled()).toBe(true);
        expect(await resultOf(opened)).toContain(`simulated answer to "${MANUAL}`);
        await isQuiet(opened);
      });

      test('shows the simple combination where the model fails for good', async () => {
        const opened = await open(component);
        const prompt = `${MANUAL} [simulate fail=content_policy]`;
        await generate(opened, prompt);
        expect(await resultOf(opened)).toMatch(/^You are [\s\S]*\n\nAnswer questions about our bakery/);
        await isQuiet(opened);
      });

      if (startPoor) {
        test('shows that there are too few tokens', async () => {
          const opened = await open(component, poor);
          await generate(opened, MANUAL);
          const error = 'You need at least 700 tokens for prompt enhancement. Available: 250';
          expect(await errorOf(opened)).toContain(error);
          // The Jobs API, which the hook asks, refuses the submit itself.
          await isQuiet(opened, component.asks === '/status/');
        });
      }

      test('shows that its task was cancelled while it ran', async () => {
        const opened = await open(component);
        await generate(opened, `${MANUAL} [simulate seconds=60]`);
        await vi.waitUntil(() => opened.polls() > 0, { timeout: PATIENCE_MS });
        const cancel = `${service.baseUrl}${API}/generate-prompt-async/cancel/${opened.taskId()}/`;
        expect((await fetch(cancel, { method: 'POST' })).status).toBe(200);
        expect(await errorOf(opened)).toContain('The generation was cancelled');
        await isQuiet(opened);
      });

      test('shows that its task is gone', async () => {
        const opened = await open(component);
        await generate(opened, `${MANUAL} [simulate seconds=60]`);
        await vi.waitUntil(() => opened.polls() > 0, { timeout: PATIENCE_MS });
        await fetch(`${service.baseUrl}/api/llm/jobs/${opened.taskId()}/`, { method: 'DELETE' });
        expect(await errorOf(opened)).toContain('Task not found');
        await isQuiet(opened);
      });

      test('asks no more when its user leaves', async () => {
        const opened = await open(component);
        await generate(opened, `${MANUAL} [simulate seconds=60]`);
        await vi.waitUntil(() => opened.polls() > 0, { timeout: PATIENCE_MS });
        await opened.page.evaluate('window.leave()');
        const before = opened.polls();
        await opened.page.waitForTimeout(QUIET_MS);
        expect(opened.polls()).toBe(before);
        const cancel = `${service.baseUrl}${API}/generate-prompt-async/cancel/${opened.taskId()}/`;
        await fetch(cancel, { method: 'POST' });
        await opened.page.close();
      });
    });

    test('a reader in a hurry sees no step back', async () => {
      const post = { method: 'POST', headers: { 'Content-Type': 'application/json' } };
      const body = JSON.stringify({ manual_prompt: `${MANUAL} [simulate seconds=0.5]` });
      const started = await fetch(`${service.baseUrl}${API}/generate-prompt-async/`, { ...post, body });
      expect(started.status).toBe(202);
      const { status_url } = (await started.json()) as { status_url: string };
      const seen: number[] = [];
      for (const untilMs = performance.now() + PATIENCE_MS; seen.at(-1) !== 100 && performance.now() < untilMs; ) {
        const { progress } = (await (await fetch(`${service.baseUrl}${status_url}`)).json()) as { progress: number };
        seen.push(progress);
      }
      expect(seen).toEqual([...seen].sort((one, other) => one - other));
      expect(seen.at(-1)).toBe(100);
      expect([0, 10, 30, 50, 70, 90, 100]).toEqual(expect.arrayContaining(seen));
      expect(seen).toContain(70);
    });

    /** Runs the class in the page with a prompt, or has it poll a task; answers all that its callbacks heard. */
    async function withClass(does: { prompt?: string; taskId?: string }): Promise<{ heard: Heard; polls: number[] }> {
      const opened = await open();
      await opened.page.addScriptTag({ content: `${theClass}\nwindow.PromptGeneratorAPI = PromptGeneratorAPI;` });
      const heard = await opened.page.evaluate(
        ([base, prompt, taskId]) =>
          new Promise<Heard>((resolve) => {
            const api = new (window as Heard).PromptGeneratorAPI(base, 'any');
            const progress: Heard[] = [];
            const told = [
              (news: Heard) => progress.push(news),
              (text: string, byAi: boolean) => resolve({ progress, text, byAi }),
              (error: string) => resolve({ progress, error }),
            ];
            if (taskId) api.pollStatus(taskId, ...told);
            else void api.startGeneration(prompt, ...told);
          }),
        [`${service.baseUrl}${API}`, does.prompt ?? '', does.taskId ?? ''],
      );
      const before = opened.polls();
      await opened.page.waitForTimeout(QUIET_MS);
      expect(opened.errors).toEqual([]);
      const polls = [before, opened.polls()];
      await opened.page.close();
      return { heard, polls };
    }

    describe.concurrent('the class', () => {
      test('hears of the progress, and of the prompt', async () => {
        const { heard, polls } = await withClass({ prompt: `${MANUAL} [simulate seconds=3]` });
        expect(heard).toMatchObject({ text: expect.stringContaining(MANUAL), byAi: true });
        expect(heard.progress[0]).toEqual({
          status: 'processing',
          progress: 70,
          message: 'Waiting for AI response...',
        });
        const message = 'Prompt generated successfully';
        expect(heard.progress.at(-1)).toEqual({ status: 'completed', progress: 100, message });
        expect(polls[1]).toBe(polls[0]);
      });

      test('hears that the AI was of no help', async () => {
        const { heard, polls } = await withClass({ prompt: `${MANUAL} [simulate fail=auth]` });
        expect(heard).toMatchObject({ text: expect.stringContaining(`\n\n${MANUAL}`), byAi: false });
        expect(polls[1]).toBe(polls[0]);
      });

      test('hears that a task is not there', async () => {
        const { heard, polls } = await withClass({ taskId: crypto.randomUUID() });
        expect(heard).toEqual({
          error: 'Task not found',
          progress: [{ status: 'failed', progress: 100, message: 'Task not found' }],
        });
        expect(polls).toEqual([1, 1]);
      });

      test('hears what is wrong with a prompt, and does not poll', async () => {
        expect(await withClass({ prompt: '  ' })).toEqual({
          ...{ heard: { error: 'manual_prompt is required', progress: [] }, polls: [0, 0] },
        });
      });
    });
  });
}
