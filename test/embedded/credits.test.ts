/** Credits with `npm start` as a process that is killed, an account made by `npm run accounts`, and a provider that counts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import type { Account } from '../../shared/core/accounts.ts';
import type { Job } from '../../shared/core/job.ts';
import { brokenLedger } from '../support/account-rules.ts';
import { general, SUBMIT } from '../support/app.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { runAccounts } from '../support/operator-process.ts';
import { type Exchange, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';

const JOBS = 100;
const PAID = 10;
const NEED = 700;
const MODEL = 'llama3.2';
const GENERATE = '/api/v1/web-knowledge/generate-prompt/';
const START = '/api/v1/web-knowledge/generate-prompt-async/';

let folder: string;
let provider: ScriptedProvider;
let stopService = async () => {};
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-credits-'));
  provider = await startScriptedProvider();
});
afterAll(async () => {
  await stopService();
  await provider.stop();
  rmSync(folder, { recursive: true });
});

/** An answer that used what a prompt reserves. */
async function answer({ stream, write, response }: Exchange): Promise<void> {
  stream();
  const choice = { index: 0, delta: { role: 'assistant', content: 'A better prompt.' }, finish_reason: null };
  const usage = { prompt_tokens: NEED - 100, completion_tokens: 100, total_tokens: NEED };
  const pieces = [
    { choices: [choice] },
    { choices: [{ ...choice, delta: {}, finish_reason: 'stop' }] },
    { choices: [], usage },
  ];
  for (const piece of pieces) {
    const chunk = { id: 'c-1', object: 'chat.completion.chunk', created: 1, model: MODEL, ...piece };
    await write(`data: ${JSON.stringify(chunk)}\n\n`);
  }
  await write('data: [DONE]\n\n');
  response.end();
}

const prompts = () => provider.requests.flatMap(({ body }) => JSON.stringify(body).match(/Poem \d+/) ?? []);

test(`${JOBS} at once with tokens for ${PAID}, and a kill: ${PAID} reach the provider, and nothing stays reserved`, async () => {
  const file = join(folder, 'jobs.db');
  const environment = {
    ...{ PORT: String(await freePort()), DATABASE_URL: file, CREDITS: 'on' },
    ...{ OPENAI_COMPATIBLE_BASE_URL: provider.url, OPENAI_COMPATIBLE_MODELS: MODEL, PROMPT_GENERATION_MODEL: MODEL },
  };
  const accounts = (...words: string[]) => runAccounts({ DATABASE_URL: file }, ...words);
  await accounts('set', '--user', 'local', '--subscription', 'active');
  await accounts('grant', '--user', 'local', '--tokens', String(PAID * NEED), '--key', 'a');

  const start = async () => {
    const { baseUrl, child } = await startLocalProcess(environment);
    stopService = () => stopGroup(child);
    return { baseUrl, child };
  };
  const first = await start();
  const post = async (path: string, body: object) => {
    const response = await fetch(`${first.baseUrl}${path}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Prefer: 'wait=10' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as Record<string, unknown> };
  };
  const status = async (id: unknown) =>
    (await (await fetch(`${first.baseUrl}${START}status/${id}/`)).json()) as Record<string, unknown>;
  provider.answerWith(() => {});
  const started = await Promise.all(
    Array.from({ length: JOBS }, (_, n) => post(START, { manual_prompt: `Poem ${n} of a hundred` })),
  );
  expect(started.every(({ status }) => status === 202)).toBe(true);
  await expect.poll(() => provider.requests.length, { timeout: 15_000 }).toBe(PAID);
  const died = new Promise((resolve) => first.child.once('exit', (_, signal) => resolve(signal)));
  first.child.kill('SIGKILL');
  expect(await died).toBe('SIGKILL');
  provider.answerWith(answer);

  await start();
  const ids = started.map(({ body }) => body.task_id);
  await expect
    .poll(async () => (await Promise.all(ids.map(status))).filter(({ progress }) => progress === 100).length, {
      ...{ interval: 200, timeout: 20_000 },
    })
    .toBe(JOBS);
  const views = await Promise.all(ids.map(status));
  expect(views.filter((view) => view.status === 'completed')).toHaveLength(PAID);
  const denied = views.filter((view) => view.message === 'Insufficient tokens');
  expect(denied).toHaveLength(JOBS - PAID);
  expect(denied[0]?.error).toMatch(/^You need at least 700 tokens for prompt enhancement\. Available: \d+$/);
  expect(new Set(prompts()).size).toBe(PAID);
  // Those that were killed were called twice.
  expect(provider.requests.length).toBeGreaterThan(PAID);
  const calls = provider.requests.length;

  expect(await post(GENERATE, { manual_prompt: 'One more' })).toMatchObject({
    ...{ status: 402, body: { success: false, message: 'Insufficient tokens' } },
  });
  const refused = await post(SUBMIT, { ...general({ prompt: 'Hello.' }), model_id: MODEL });
  expect(refused).toMatchObject({ status: 402, body: { code: 'insufficient_credits' } });
  await stopService();
  await accounts('set', '--user', 'local', '--subscription', 'inactive');
  await start();
  for (const path of [START, GENERATE]) {
    expect(await post(path, { manual_prompt: 'One more' })).toMatchObject({
      ...{ status: 403, body: { message: 'Subscription is not active. Renew your subscription to continue.' } },
    });
  }
  await stopService();
  expect(provider.requests).toHaveLength(calls);

  const database = new Database(file);
  const rows = <T>(sql: string) =>
    (database.prepare(sql).all() as { value: string }[]).map(({ value }) => JSON.parse(value) as T);
  const jobs = rows<Job>('SELECT job AS value FROM jobs');
  const [account] = rows<Account>('SELECT account AS value FROM accounts');
  database.close();
  if (!account) throw new Error('the account is gone');
  expect(account.reserved).toEqual({ tokens: 0, nanoUsd: 0 });
  const settled = jobs.flatMap((job) => job.settled ?? []);
  expect(settled).toHaveLength(PAID);
  expect(account.charged.tokens).toBe(settled.reduce((sum, { charged }) => sum + charged.tokens, 0));
  expect(brokenLedger(account, jobs, PAID * NEED)).toEqual([]);
}, 60_000);
