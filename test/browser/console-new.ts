/** The console's tests: a new job. */
import type { Page } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { JOB_TYPES } from '../../shared/job-types/registry.ts';
import type { ConsoleWorld, OpenedConsole } from './console-world.ts';

const JOB_PAGE = /#\/jobs\/([0-9a-f-]{36})$/;
const SUBMIT = { name: 'Submit', exact: true };

async function submitForm(page: Page): Promise<string> {
  await page.getByRole('button', SUBMIT).click();
  await page.waitForURL(JOB_PAGE);
  return JOB_PAGE.exec(page.url())?.[1] ?? '';
}

const puts = ({ asked }: OpenedConsole) => new Set(asked().filter((line) => line.startsWith('PUT ')));
const prompt = (page: Page) => page.getByLabel('Prompt', { exact: true }).filter({ visible: true });

export function newTests({ open, submit, service }: ConsoleWorld): void {
  // biome-ignore lint/suspicious/noExplicitAny: what the API answers is what the tests ask
  async function ask(path: string): Promise<any> {
    const response = await fetch(`${service().baseUrl}/api/llm/jobs/${path}`);
    return response.json();
  }
  /** A job when it is over. */
  async function ended(id: string) {
    for (;;) {
      const view = await ask(`${id}/status/?wait=25`);
      if (view.is_complete) return view;
    }
  }

  describe('a new job', () => {
    test('the form of each job type submits at once, and the job completes', async () => {
      const opened = await open('new');
      const { page } = opened;
      const ids: string[] = [];
      for (const { name } of JOB_TYPES) {
        await page.getByRole('link', { name: 'New job', exact: true }).click();
        await page.getByLabel('Job type').selectOption(name);
        ids.push(await submitForm(page));
      }
      const views = await Promise.all(ids.map(ended));
      expect(views.map(({ job_type, status, stream, model }) => [job_type, status, stream, model.name])).toEqual(
        JOB_TYPES.map(({ name }) => [name, 'completed', true, 'Simulated']),
      );
      await opened.close();
    });

    test("what is wrong stands beside its field, in the API's words, and what was typed stays", async () => {
      const opened = await open('new', { width: 360, height: 740 });
      const { page } = opened;
      await prompt(page).fill('Is this kept?');
      await page.getByText('More: tags, clocks').click();
      await page.getByLabel('Timeout', { exact: true }).fill('0');
      await page.getByLabel('Tags').fill('one\ntwo');
      await page.getByText('Webhook', { exact: true }).click();
      await page.getByLabel('Url').fill('nowhere');
      // Also where it is folded away.
      await page.getByText('More: tags, clocks').click();
      await page.getByRole('button', SUBMIT).click();
      await page.getByText('Not submitted: see the 2 fields marked below.').waitFor();
      const timeout = page.getByLabel('Timeout', { exact: true });
      expect(await timeout.getAttribute('aria-invalid')).toBe('true');
      expect(await timeout.evaluate((field) => document.activeElement === field)).toBe(true);
      const described = (await timeout.getAttribute('aria-describedby'))?.split(' ') ?? [];
      const texts = await Promise.all(described.map((each) => page.locator(`[id="${each}"]`).textContent()));
      expect(texts.at(-1)).toBe('must be a number of seconds from 1 to 604800');
      await page.getByText('must be an http or https URL').waitFor();
      await opened.check();
      expect(await prompt(page).inputValue()).toBe('Is this kept?');
      await timeout.fill('60');
      await page.getByLabel('Url').fill('');
      const id = await submitForm(page);
      expect(await ended(id)).toMatchObject({ timeout: 60, tags: ['one', 'two'] });
      await opened.close();
    });

    test('what cannot be read is not sent', async () => {
      const opened = await open('new');
      const { page } = opened;
      await page.getByText('More of the input').click();
      await page.getByLabel('Max tokens').filter({ visible: true }).fill('many');
      await page.getByLabel('Response schema').fill('{');
      await page.getByRole('button', SUBMIT).click();
      await page.getByText('must be a number', { exact: true }).waitFor();
      await page.getByText('is not JSON').waitFor();
      await opened.check();
      expect(puts(opened).size).toBe(0);
      await opened.close();
    });

    test('as JSON: errors stand at the top, and the form takes it back', async () => {
      const opened = await open('new');
      const { page } = opened;
      await page.getByRole('button', { name: 'Edit as JSON' }).click();
      const whole = page.getByLabel('The whole submission, as JSON');
      const submission = JSON.parse(await whole.inputValue());
      expect(submission).toMatchObject({ job_type: 'general_llm_request', stream: true });
      await whole.fill(JSON.stringify({ ...submission, colour: 'red' }));
      await page.getByRole('button', { name: 'Edit in the form' }).click();
      await page.getByText('The form has no field for colour.').waitFor();
      await page.getByRole('button', SUBMIT).click();
      await page.getByRole('alert').getByText('is not a known field').waitFor();
      await opened.check();
      await whole.fill('{"job_type": ');
      await page.getByRole('button', SUBMIT).click();
      await page.getByRole('alert').getByText('is not JSON').waitFor();
      const metadata = { team: 'red' };
      await whole.fill(JSON.stringify({ ...submission, input_data: { prompt: 'From JSON.' }, metadata }));
      await page.getByRole('button', { name: 'Edit in the form' }).click();
      expect(await prompt(page).inputValue()).toBe('From JSON.');
      expect(await page.getByLabel('Metadata').inputValue()).toBe('team: red');
      expect(await ended(await submitForm(page))).toMatchObject({ metadata });
      await opened.close();
    });

    test('is kept when one leaves, and when the page is loaded again', async () => {
      const opened = await open('new');
      const { page } = opened;
      await prompt(page).fill('Not lost.');
      await page.getByLabel('Job type').selectOption('review_colab');
      await page.getByLabel('Job type').selectOption('general_llm_request');
      expect(await prompt(page).inputValue()).toBe('Not lost.');
      await page.getByRole('link', { name: 'Usage' }).click();
      await page.getByRole('link', { name: 'New job', exact: true }).click();
      expect(await prompt(page).inputValue()).toBe('Not lost.');
      await page.reload();
      expect(await prompt(page).inputValue()).toBe('Not lost.');
      await page.getByRole('button', { name: 'Start again' }).click();
      expect(await prompt(page).inputValue()).toContain('Why is the sky blue?');
      await opened.close();
    });

    test('that meets a lost connection is submitted when it is back, once', async () => {
      const opened = await open('new');
      const { page } = opened;
      await prompt(page).fill('Through the gap.');
      await page.context().setOffline(true);
      await page.getByRole('button', SUBMIT).click();
      await page.getByText('The service does not answer.').waitFor();
      await page.getByRole('button', { name: 'Submitting…' }).waitFor();
      expect(await prompt(page).inputValue()).toBe('Through the gap.');
      await page.context().setOffline(false);
      await page.waitForURL(JOB_PAGE);
      const id = JOB_PAGE.exec(page.url())?.[1] ?? '';
      expect(await ended(id)).toMatchObject({ status: 'completed' });
      expect([...puts(opened)]).toEqual([`PUT /api/llm/jobs/${id}/`]);
      await opened.close();
    });

    test('like another is filled with its input', async () => {
      const tags = [crypto.randomUUID()];
      const input_data = { prompt: 'Once "more".', temperature: 0.5 };
      const id = await submit('', { input_data, tags, timeout: 90 });
      const opened = await open(`new?like=${id}`);
      const { page } = opened;
      await page.waitForURL(/#\/new$/);
      expect(await prompt(page).inputValue()).toBe('Once "more".');
      expect(await page.getByLabel('Temperature').filter({ visible: true }).inputValue()).toBe('0.5');
      expect(await page.getByLabel('Model').first().inputValue()).toBe('simulated');
      expect(await ended(await submitForm(page))).toMatchObject({ tags, timeout: 90 });
      await opened.close();
    });

    test('like one that is not there says so', async () => {
      const opened = await open(`new?like=${crypto.randomUUID()}`);
      await opened.page.getByText('Job not found').waitFor();
      await opened.page.getByRole('link', { name: 'Go on without' }).click();
      await prompt(opened.page).waitFor();
      await opened.close();
    });

    test('may run on any model by its name; one that cannot be used says why', async () => {
      const opened = await open('new');
      const { page } = opened;
      const options = page.getByLabel('Model').first().locator('option');
      expect(await options.filter({ hasText: 'set OPENAI_API_KEY' }).first().isDisabled()).toBe(true);
      await page.getByLabel('Model').first().selectOption('Another, by its name');
      await page.getByLabel('Its name').fill('unheard-of');
      await page.getByRole('button', SUBMIT).click();
      const name = page.locator('[aria-invalid=true]');
      await name.waitFor();
      expect(await name.inputValue()).toBe('unheard-of');
      await opened.close();
    });

    test('can be copied, for a shell, a program and a page', async () => {
      const opened = await open('new');
      const { page } = opened;
      await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
      await prompt(page).fill("It's mine.");
      await page.getByText('Copy as curl').click();
      for (const [kind, part] of [
        ['curl', "It'\\''s mine."],
        ['client', 'submitAndWait({'],
        ['React', 'useLlmJob('],
      ] as const) {
        await page.getByRole('radio', { name: kind }).check();
        await page.getByRole('button', { name: 'Copy', exact: true }).click();
        await page.getByText('Copied.').waitFor();
        const copied = await page.evaluate(() => navigator.clipboard.readText());
        expect(copied).toContain(part);
        expect(copied).toContain(service().baseUrl);
        expect(copied.replaceAll('\r', '')).toBe(await page.locator('pre').textContent());
      }
      await opened.check();
      // Where there is a token its place is in the text, never the token.
      await page.evaluate(() => sessionStorage.setItem('llm-jobs.token', 'secret-2'));
      await page.getByRole('radio', { name: 'curl' }).check();
      await page.locator('pre', { hasText: 'Bearer $LLM_JOBS_TOKEN' }).waitFor();
      expect(await page.locator('pre').textContent()).not.toContain('secret-2');
      await page.getByRole('radio', { name: 'React' }).check();
      await page.context().clearPermissions();
      await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
      await page.getByRole('button', { name: 'Copy', exact: true }).click();
      await page.getByText('Selected: press').waitFor();
      expect(await page.evaluate(() => `${window.getSelection()}`)).toContain('useLlmJob(');
      await opened.close();
    });
  });
}
