/**
 * The two clients of seed 004, as its document has them, in a real browser against a service: the React component and the
 * class. Whatever becomes of a task, the page says so, and stops asking.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { findChromium } from '../support/chromium.ts';

const CLIENTS = join(import.meta.dirname, 'seed-004');
const COMPONENT = `
  import { createElement } from 'react';
  import { createRoot } from 'react-dom/client';
  import PromptGenerator from './prompt-generator.jsx';
  const root = createRoot(document.getElementById('root'));
  root.render(createElement(PromptGenerator));
  window.leave = () => root.unmount();
`;
const API = '/api/v1/web-knowledge';
const MANUAL = 'Answer questions about our bakery in Bern.';
/** Its clients ask every second. */
const QUIET_MS = 1_600;
const PATIENCE_MS = 15_000;

/** A page with the component, what it asked, and what it was answered. */
type Opened = {
  page: Page;
  /** The status polls that were sent. */
  polls(): number;
  /** The progress that they were answered with. */
  progress: number[];
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
  const executablePath = findChromium();

  describe.skipIf(executablePath === undefined)(`prompt generation in a browser, on ${name}`, () => {
    let service: Service;
    let poor: Service | undefined;
    let browser: Browser;
    let html: string;
    const theClass = readFileSync(join(CLIENTS, 'prompt-generator-api.js'), 'utf8');

    beforeAll(async () => {
      const args = ['--no-sandbox', '--disable-dev-shm-usage'];
      [service, poor, browser, html] = await Promise.all([
        start(),
        startPoor?.(),
        chromium.launch({ ...(executablePath ? { executablePath } : {}), args }),
        pageOf(COMPONENT),
      ]);
    });
    afterAll(async () => {
      await browser?.close();
      await service?.stop();
      await poor?.stop();
    });

    async function open({ baseUrl } = service): Promise<Opened> {
      const page = await browser.newPage();
      const polls: string[] = [];
      const errors: string[] = [];
      const progress: number[] = [];
      let taskId = '';
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('request', (request) => {
        if (request.url().includes('/status/')) polls.push(request.url());
      });
      page.on('response', async (response) => {
        const body = /generate-prompt-async/.test(response.url()) ? await response.json().catch(() => ({})) : {};
        taskId = body.task_id ?? taskId;
        if (response.url().includes('/status/')) progress.push(body.progress);
      });
      await page.route(`${baseUrl}/page`, (route) => route.fulfill({ contentType: 'text/html', body: html }));
      await page.goto(`${baseUrl}/page`);
      await page.evaluate(() => localStorage.setItem('token', 'any'));
      return { page, errors, progress, polls: () => polls.length, taskId: () => taskId };
    }

    /** Writes a prompt and asks for a better one. */
    async function generate({ page }: Opened, prompt: string): Promise<void> {
      await page.fill('textarea', prompt);
      await page.click('text=Generate AI Prompt');
    }

    const resultOf = ({ page }: Opened) => page.locator('.result pre').textContent({ timeout: PATIENCE_MS });
    const errorOf = ({ page }: Opened) => page.locator('.error-message').textContent({ timeout: PATIENCE_MS });

    /** It has said how it ended: from now on it must not ask, and a new task can be started. */
    async function isQuiet(opened: Opened): Promise<void> {
      const before = opened.polls();
      expect(before).toBeGreaterThan(0);
      await opened.page.waitForTimeout(QUIET_MS);
      expect(opened.polls()).toBe(before);
      expect(await opened.page.locator('button').first().textContent()).toBe('Generate AI Prompt');
      expect(opened.progress).toEqual([...opened.progress].sort((one, other) => one - other));
      expect(opened.progress.at(-1)).toBe(100);
      expect(opened.errors).toEqual([]);
      await opened.page.close();
    }

    describe.concurrent('the component', () => {
      test('shows a bar, then the prompt', async () => {
        const opened = await open();
        await generate(opened, `${MANUAL} [simulate seconds=3]`);
        const bar = opened.page.locator('.progress-text', { hasText: '70% - Processing...' });
        await bar.waitFor({ timeout: PATIENCE_MS });
        expect(await opened.page.locator('.progress-fill').getAttribute('style')).toContain('width: 70%');
        expect(await opened.page.locator('textarea').isDisabled()).toBe(true);
        expect(await resultOf(opened)).toContain(`simulated answer to "${MANUAL}`);
        await isQuiet(opened);
      });

      test('shows the simple combination where the model fails for good', async () => {
        const opened = await open();
        const prompt = `${MANUAL} [simulate fail=content_policy]`;
        await generate(opened, prompt);
        expect(await resultOf(opened)).toMatch(/^You are [\s\S]*\n\nAnswer questions about our bakery/);
        await isQuiet(opened);
      });

      if (startPoor) {
        test('shows that there are too few tokens', async () => {
          const opened = await open(poor);
          await generate(opened, MANUAL);
          const error = 'You need at least 700 tokens for prompt enhancement. Available: 250';
          expect(await errorOf(opened)).toContain(error);
          await isQuiet(opened);
        });
      }

      test('shows that its task was cancelled while it ran', async () => {
        const opened = await open();
        await generate(opened, `${MANUAL} [simulate seconds=60]`);
        await vi.waitUntil(() => opened.polls() > 0, { timeout: PATIENCE_MS });
        const cancel = `${service.baseUrl}${API}/generate-prompt-async/cancel/${opened.taskId()}/`;
        expect((await fetch(cancel, { method: 'POST' })).status).toBe(200);
        expect(await errorOf(opened)).toContain('The generation was cancelled');
        await isQuiet(opened);
      });

      test('shows that its task is gone', async () => {
        const opened = await open();
        await generate(opened, `${MANUAL} [simulate seconds=60]`);
        await vi.waitUntil(() => opened.polls() > 0, { timeout: PATIENCE_MS });
        await fetch(`${service.baseUrl}/api/llm/jobs/${opened.taskId()}/`, { method: 'DELETE' });
        expect(await errorOf(opened)).toContain('Task not found');
        await isQuiet(opened);
      });

      test('asks no more when its user leaves', async () => {
        const opened = await open();
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
      for (const untilMs = Date.now() + PATIENCE_MS; seen.at(-1) !== 100 && Date.now() < untilMs; ) {
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

/** A page of one script. */
async function pageOf(script: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: script, resolveDir: CLIENTS },
    ...{ bundle: true, write: false, format: 'iife', platform: 'browser', minify: true, logLevel: 'error' },
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const head = '<meta charset="utf-8"><title>Prompt generator</title>';
  return `<!doctype html>${head}<div id="root"></div><script>${outputFiles[0]?.text ?? ''}</script>`;
}
