/** `npx llm-jobs` against the embedded service: what it prints, and what it submits. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { submitted, wholeJobView } from '../../functions/surfaces/llm-jobs-schemas.ts';
import { newJobId } from '../../shared/client/client.ts';
import { drawn, jsonOf, type Served, startServed } from '../support/command-line.ts';

let served: Served;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-command-line-'));
  served = await startServed();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await served.close();
});

const MODEL = ['--model', 'simulated'];
const ANSWER = /^This is a simulated answer to "Say hello\."/;

function written(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe.concurrent('into a pipe', () => {
  test('each command prints what the API answers, as JSON', async () => {
    const first = await served.run(['submit', ...MODEL, '--tag', 'a', '--tag', 'b', '--max-cost', '0.5', 'Say hello.']);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    const [accepted, ...more] = jsonOf(first);
    expect(more).toEqual([]);
    expect(submitted.parse(accepted)).toEqual(accepted);
    const id = accepted.job_id;

    const waited = await served.run(['wait', id]);
    const [job] = jsonOf(waited);
    expect(waited).toMatchObject({ code: 0, stderr: '' });
    expect(wholeJobView.parse(job)).toEqual(job);
    expect(job).toMatchObject({ job_id: id, status: 'completed', tags: ['a', 'b'], max_cost: 0.5 });

    const cancelled = await served.run(['cancel', id]);
    expect(jsonOf(cancelled)).toMatchObject([{ job_id: id, status: 'completed' }]);
    const listed = jsonOf(
      await served.run(['list', '--tag', 'b', '--status', 'completed', '--type', 'general_llm_request']),
    );
    expect(listed.map((view) => view.job_id)).toEqual([id]);
    const tailed = jsonOf(await served.run(['tail', id]));
    expect(tailed.at(-1)).toMatchObject({ type: 'done', job: { job_id: id, status: 'completed' } });
  });

  test('a list is as long as it is told to be', async () => {
    const job = {
      job_type: 'general_llm_request',
      model_id: 'simulated',
      tags: ['many'],
      input_data: { prompt: 'Hi.' },
    };
    const body = JSON.stringify({ jobs: Array.from({ length: 103 }, () => job) });
    const headers = { 'Content-Type': 'application/json' };
    const batch = await fetch(`${served.baseUrl}/api/llm/jobs/batch/`, { method: 'POST', headers, body });
    expect(batch.status).toBe(202);
    const lengths = [];
    for (const words of [[], ['--limit', '3'], ['--limit', '101'], ['--all']]) {
      lengths.push(jsonOf(await served.run(['list', '--tag', 'many', ...words])).length);
    }
    expect(lengths).toEqual([20, 3, 101, 103]);
    expect(await served.run(['list', '--tag', 'none'])).toEqual({ code: 0, stdout: '', stderr: '' });
  });

  test('a stream is one line for each event, which together hold the text once', async () => {
    const ran = await served.run(['submit', '--stream', ...MODEL, 'Say hello. [simulate seconds=0.3]']);
    const events = jsonOf(ran);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(events.filter(({ type }) => type === 'delta').length).toBeGreaterThan(1);
    expect(events.every((event) => !('soFar' in event))).toBe(true);
    expect(events.map(({ text = '' }) => text).join('')).toMatch(ANSWER);
    expect(events.at(-1)).toMatchObject({ type: 'done', job: { status: 'completed' } });
  });

  test('a bar is for whoever looks, and follows the stream', async () => {
    const id = await served.submit('Say hello.');
    for (const [tty, path] of [[false, 'status/?wait=25'] as const, ['stderr', 'stream/'] as const]) {
      const asked: string[] = [];
      const watching: typeof fetch = (url, options) => {
        asked.push(String(url));
        return fetch(url, options);
      };
      const ran = await served.run(['wait', id], { tty, fetch: watching });
      expect(jsonOf(ran)).toMatchObject([{ job_id: id, status: 'completed' }]);
      expect(asked.at(-1)).toBe(`${served.baseUrl}/api/llm/jobs/${id}/${path}`);
      expect(ran.stderr.endsWith(drawn('█', '100 %  Done\n'))).toBe(tty === 'stderr');
    }
  });

  test('--text prints the answer alone', async () => {
    for (const how of ['--wait', '--stream']) {
      const { code, stdout, stderr } = await served.run(['submit', how, '--text', ...MODEL, 'Say hello.']);
      expect(code).toBe(0);
      expect(stdout).toMatch(ANSWER);
      expect(stdout.endsWith('answer.\n')).toBe(true);
      expect(stderr).toMatch(/^Job [\da-f-]{36}\ncompleted by Simulated in \d+\.\d s; \d+ tokens in, \d+ out\n$/);
    }
  });
});

describe.concurrent('in a terminal', () => {
  test('a bar is drawn that ends at 100 %, and the answer comes after it', async () => {
    const { code, stdout, stderr } = await served.run(['submit', '--wait', ...MODEL, 'Say hello.'], { tty: true });
    expect(code).toBe(0);
    expect(stdout).toMatch(ANSWER);
    expect(stderr).toContain(drawn('░', '0 %  Submitting'));
    expect(stderr).toContain(drawn('█', '100 %  Done\ncompleted by Simulated'));
  });

  test('a submit says the id, and how to wait for it', async () => {
    const url = served.baseUrl;
    const token = written('my token', 'llmj_0');
    const { stdout, stderr } = await served.run(
      ['submit', ...MODEL, 'Say hello.', '--url', url, '--token-file', token],
      { tty: true },
    );
    expect(stdout).toMatch(/^[\da-f-]{36}\n$/);
    expect(stderr).toBe(`Wait for it: npx llm-jobs wait ${stdout.trim()} --url ${url} --token-file '${token}'\n`);
  });

  test('a list has a line for each job', async () => {
    const id = await served.submit('--tag', 'lined', 'Say hello.');
    await served.run(['wait', id]);
    const { stdout, stderr } = await served.run(['list', '--tag', 'lined'], { tty: true });
    expect(stdout).toMatch(new RegExp(`^${id}  completed   100 %  20\\S+Z  general_llm_request  Simulated  lined\n$`));
    expect(stderr).toBe('');
    expect((await served.run(['list', '--tag', 'none'], { tty: true })).stderr).toBe('There are no such jobs.\n');
  });

  test('what a model writes can tell the terminal nothing', async () => {
    const prompt = 'Say \u001b[31mred\u009b2J\u0007.';
    const plain = await served.run(['submit', '--wait', ...MODEL, prompt]);
    expect(plain.stdout).toContain('\\u001b[31mred');
    const { stdout } = await served.run(['submit', '--wait', ...MODEL, prompt], { tty: true });
    expect(stdout).toContain('"Say [31mred2J."');
    const streamed = await served.run(['submit', '--stream', ...MODEL, prompt], { tty: true });
    expect(streamed.stdout).toBe(stdout);
  });

  test('a stream that begins anew says that what came before does not count', async () => {
    const prompt = 'Say hello. [simulate seconds=0.3 fail=overloaded after=5 times=1 retry_after=1]';
    const { code, stdout, stderr } = await served.run(['submit', '--stream', ...MODEL, prompt], { tty: true });
    expect(code).toBe(0);
    expect(stderr).toContain('The text so far does not count:');
    expect(stdout.match(/This is a simulated/g)).toHaveLength(2);
    expect(stdout.split('\n').at(-2)).toMatch(ANSWER);
  });

  test('a value is printed as the JSON that it is, and not twice', async () => {
    const input = written('schema.json', {
      prompt: 'How old is Ada?',
      response_schema: { type: 'object', properties: { age: { type: 'integer' } }, required: ['age'] },
    });
    const words = ['submit', ...MODEL, '--input', input];
    const waited = await served.run([...words, '--wait'], { tty: true });
    expect(JSON.parse(waited.stdout)).toEqual({ age: expect.any(Number) });
    const streamed = await served.run([...words, '--stream'], { tty: true });
    expect(JSON.parse(streamed.stdout)).toEqual({ age: expect.any(Number) });
  });
});

describe.concurrent('what is submitted', () => {
  const shown = (fetched: string[]): typeof fetch =>
    function watching(url, options) {
      if (typeof options?.body === 'string') fetched.push(options.body);
      return fetch(url, options);
    };

  test.each([
    ['general_llm_request', { full_input: 'Say hello.' }],
    ['trainer_question_analysis', { full_input: 'Say hello.' }],
    ['review_colab', { full_input: 'Say hello.' }],
    ['structured_extraction', { text: 'Say hello.' }],
    ['prompt_generation', { manual_prompt: 'Say hello.' }],
  ])('a prompt for %s stands where that has it', async (type, input_data) => {
    const bodies: string[] = [];
    const words = ['submit', '--wait', ...MODEL, '--type', type, 'Say hello.'];
    expect(await served.run(words, { fetch: shown(bodies) })).toMatchObject({ code: 0 });
    expect(bodies.map((body) => JSON.parse(body))).toEqual([{ job_type: type, model_id: 'simulated', input_data }]);
  });

  test('it comes as words, through a pipe, or in files', async () => {
    const whole = { job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'A file.' } };
    const file = written('whole.json', whole);
    const input = written('input.json', { prompt: 'An input.' });
    const ways: [string[], string | undefined, object][] = [
      [[...MODEL, '--system', 'Be kind.', 'A word.'], undefined, { system_message: 'Be kind.', full_input: 'A word.' }],
      [[...MODEL, 'A word.'], 'not read', { full_input: 'A word.' }],
      [[...MODEL, '--', '--a-dash'], undefined, { full_input: '--a-dash' }],
      [MODEL, ' A pipe:\nтри\n\n', { full_input: ' A pipe:\nтри\n' }],
      [MODEL, 'Windows.\r\n', { full_input: 'Windows.' }],
      [[...MODEL, '--input', input], undefined, { prompt: 'An input.' }],
      [[...MODEL, '--input', '-'], '{ "prompt": "A piped input." }', { prompt: 'A piped input.' }],
      [['--file', file], undefined, { prompt: 'A file.' }],
      [['--file', '-'], JSON.stringify(whole), { prompt: 'A file.' }],
    ];
    for (const [words, stdin, input_data] of ways) {
      const bodies: string[] = [];
      const ran = await served.run(['submit', ...words], {
        fetch: shown(bodies),
        ...(stdin !== undefined && { stdin }),
      });
      expect(ran, words.join(' ')).toMatchObject({ code: 0, stderr: '' });
      expect(bodies.map((body) => JSON.parse(body))).toMatchObject([{ model_id: 'simulated', input_data }]);
    }
  });

  test('under one id it is one job', async () => {
    const id = newJobId();
    expect(await served.submit('--id', id, 'Say hello.')).toBe(id);
    expect(await served.submit('--id', id, 'Say hello.')).toBe(id);
    const other = await served.run(['submit', ...MODEL, '--id', id, 'Say goodbye.']);
    expect(other).toMatchObject({ code: 3, stdout: '' });
    expect(JSON.parse(other.stderr)).toMatchObject({ code: 'idempotency_conflict', job_id: id });
  });
});
