/** `npx llm-jobs`: which words are right, and what is said of the others before anything is sent. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { llmJobs } from '../support/command-line.ts';

const MODEL = ['--model', 'simulated'];

describe('wrong words', () => {
  const ID = '0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11';

  test.each<[string[], string]>([
    [[], 'Say what to do.'],
    [['frobnicate'], "'frobnicate' is no command."],
    [['submit', '--modle', 'x'], "Unknown option '--modle'."],
    [['submit', '--model'], "Option '--model <value>' argument missing."],
    [['submit', 'Say hello.'], '--model is missing'],
    [['submit', ...MODEL], 'There is no prompt'],
    [['submit', ...MODEL, 'Say', 'hello.'], "'hello.' is one word too many: put the prompt in quotes."],
    [['submit', ...MODEL, ...MODEL, 'x'], '--model is given more than once.'],
    [['submit', '--model', '', 'x'], '--model must not be empty.'],
    [['submit', ...MODEL, 'x', '--type', 'poem'], '--type must be one of general_llm_request, '],
    [['submit', ...MODEL, 'x', '--id', '1'], '--id must be a UUID of version 4 or 7.'],
    [['submit', ...MODEL, 'x', '--max-cost', '-1'], "Option '--max-cost' argument is ambiguous."],
    [['submit', ...MODEL, 'x', '--max-cost', '1e3'], "--max-cost must be a number above 0; it is '1e3'."],
    [
      ['submit', ...MODEL, 'x', '--system', 'y', '--type', 'prompt_generation'],
      '--system is of no use to prompt_generation.',
    ],
    [['submit', ...MODEL, '--input', 'no-such-file'], '--input cannot be read: ENOENT'],
    [['submit', '--file', 'package.json', 'x'], '--file is the whole submission, and goes without a prompt.'],
    [['submit', '--file', 'package.json', '--tag', 'x'], '--file is the whole submission, and goes without --tag.'],
    [
      ['submit', ...MODEL, '--input', 'package.json', '--system', 'x'],
      '--input is the whole input, and goes without --system.',
    ],
    [['submit', '--file', 'README.md'], '--file must hold JSON: '],
    [['submit', ...MODEL, 'x', '--json', '--text'], '--json goes without --text.'],
    [['wait'], 'The id of a job is missing.'],
    [['wait', 'x'], "'x' is not the id of a job, a UUID."],
    [['wait', ID, ID], 'is one word too many.'],
    [['wait', ID, '--timeout', '0'], "--timeout must be a number above 0; it is '0'."],
    [
      ['wait', ID, '--url', 'localhost:8080'],
      "--url or LLM_JOBS_URL must be the http or https URL of the API; it is 'localhost:8080'.",
    ],
    [['list', '--url', 'http://ada:secret@localhost'], "of the API; it is 'http://…@localhost'."],
    [['wait', ID, '--token-file', 'no-such-file'], '--token-file cannot be read: ENOENT'],
    [['wait', ID, '--token-file', 'README.md'], '--token-file must hold one token, and nothing else.'],
    [['list', 'x'], "'x' is one word too many."],
    [['list', '--status', 'complete'], '--status must be one of pending, processing, completed, failed, cancelled'],
    [['list', '--limit', '1.5'], "--limit must be a whole number above 0; it is '1.5'."],
    [['list', '--tag', 'a', '--tag', 'b'], '--tag is given more than once.'],
    [['list', '--all', '--limit', '3'], '--all goes without --limit.'],
  ])('%j: %s', async (words, sentence) => {
    let requests = 0;
    const counting: typeof fetch = (...asked) => {
      requests += 1;
      return fetch(...asked);
    };
    const { code, stdout, stderr } = await llmJobs(words, { fetch: counting });
    expect({ code, stdout, requests }).toEqual({ code: 2, stdout: '', requests: 0 });
    expect(stderr).toContain(sentence);
    expect(stderr).toContain('Usage:');
  });

  test('what is piped must be text, and no more than the API takes', async () => {
    const wrong = await llmJobs(['submit', ...MODEL], { stdin: new Uint8Array([0x68, 0xff]) });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Standard input is not UTF-8 text.') });
    const large = await llmJobs(['submit', ...MODEL], { stdin: new Uint8Array(17 * 2 ** 20) });
    expect(large).toMatchObject({ code: 2, stderr: expect.stringContaining('at most 8 MiB') });
    expect(await llmJobs(['submit', ...MODEL], { stdin: '\n' })).toMatchObject({ code: 2 });
  });

  test.each([[[...MODEL]], [[...MODEL, '--input', '-']], [['--file', '-']]])(
    'who is interrupted while a pipe is still open is not told of wrong words: %j',
    async (words) => {
      const stdin = new PassThrough();
      stdin.write('Half a');
      const signal = AbortSignal.timeout(20);
      const ran = await llmJobs(['submit', ...words], { stdin, signal, fetch: () => expect.unreachable() });
      expect(ran).toMatchObject({ code: 130, stdout: '' });
      expect(JSON.parse(ran.stderr)).toMatchObject({ code: 'interrupted' });
    },
  );

  test.each(['submit', 'wait', 'tail', 'list', 'cancel'])('%s says how it is used', async (command) => {
    for (const help of ['--help', '-h']) {
      const { code, stdout, stderr } = await llmJobs([command, help]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^Usage: npx llm-jobs ${command}`));
      expect(stdout).toContain('--token-file FILE');
    }
    expect((await llmJobs(['--help'])).stdout).toContain(`npx llm-jobs ${command}`);
  });
});

test('the token goes with it, from the environment, from a file that is read anew, or through a pipe', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-token-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'token');
  writeFileSync(path, 'llmj_first\n');
  const sent: (string | null)[] = [];
  const refusing: typeof fetch = async (_, options) => {
    sent.push(new Headers(options?.headers).get('authorization'));
    writeFileSync(path, 'llmj_second\n');
    return Response.json({ success: false, error: 'Who is this?', code: 'unauthenticated' }, { status: 401 });
  };
  const token = { LLM_JOBS_TOKEN: 'llmj_environment' };
  expect(await llmJobs(['list'], { fetch: refusing, environment: token })).toMatchObject({ code: 3 });
  expect(await llmJobs(['list', '--token-file', path], { fetch: refusing, environment: token })).toMatchObject({
    code: 3,
  });
  expect(sent).toEqual(['Bearer llmj_environment', 'Bearer llmj_second', 'Bearer llmj_second']);
  sent.length = 0;
  expect(await llmJobs(['list', '--token-file', '-'], { fetch: refusing, stdin: 'llmj_piped\n' })).toMatchObject({
    code: 3,
  });
  expect(sent).toEqual(['Bearer llmj_piped', 'Bearer llmj_piped']);
});

test('a token that could not stand in a header is not sent', async () => {
  const environment = { LLM_JOBS_TOKEN: 'llmj_1 llmj_2' };
  const ran = await llmJobs(['list'], { environment, fetch: () => expect.unreachable() });
  expect(ran).toMatchObject({ code: 2, stderr: expect.stringContaining('LLM_JOBS_TOKEN must hold one token') });
});
