/** `npm run demo`: what a newcomer sees, with and without a key. */
import { spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ANSWER, type Provider, startProvider } from '../support/provider.ts';

let provider: Provider;
beforeAll(async () => {
  provider = await startProvider();
});
afterAll(() => provider.stop());

async function demo(
  prompt: string,
  environment: Record<string, string> = {},
): Promise<{ code: unknown; output: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'infra/demo.ts', prompt], {
    env: { ...process.env, OPENAI_API_KEY: '', GEMINI_API_KEY: '', SIMULATED_MS: '300', ...environment },
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
  return { code: await new Promise((resolve) => child.once('exit', resolve)), output };
}

test('without a key the simulated model answers, with a bar, the usage and the time', async () => {
  const { code, output } = await demo('What is durable?');
  expect(code).toBe(0);
  expect(output).toMatch(/\[█+░*\] \d+ % {2}\d\.\d s {2}Waiting for Simulated to answer/);
  expect(output).toMatch(/\[█{30}\] 100 % {2}\d\.\d s {2}Done\n/);
  expect(output).toContain('simulated answer to "What is durable?"');
  expect(output).toMatch(/completed by Simulated in \d+\.\d s; \d+ tokens in, \d+ out/);
});

test("with a key that provider's model answers", async () => {
  const { code, output } = await demo('Who are you?', provider.environment);
  expect(code).toBe(0);
  expect(output).toContain(ANSWER);
  expect(output).toContain('completed by GPT-4o mini');
  expect(provider.callsAbout('Who are you?')).toBe(1);
});

test('a job that fails says why and ends with 1', async () => {
  const { code, output } = await demo('[simulate fail=content_policy]');
  expect(code).toBe(1);
  expect(output).toContain('was told to fail: content_policy');
});
