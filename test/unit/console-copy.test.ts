/** What the console gives to copy: a shell, and JavaScript, make the same submission of it, whatever is in it. */
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultClocks, notShownOf, submissionOf } from '../../functions/console/copy/submission-of.ts';
import { asClient, asCurl, asReact } from '../../functions/console/copy/texts.ts';
import { type Listening, listen } from '../../infra/listen.ts';
import { JOB_TYPES } from '../../shared/job-types/registry.ts';
import { general, openApp, SUBMIT, statusOf, type TestApp } from '../support/app.ts';

const NASTY = [
  ...[
    "it's",
    '"',
    '$HOME `id` $(id) !!',
    '\\',
    "\\'",
    'a\nb\r\n',
    '\t\0',
    'END',
    '\nEND\n',
    "'\\''",
    '%s %',
    '-d @/etc',
  ],
  ...['ü 漢 🙂', '\u2028\u2029', '\ud800', '__proto__', '', ' ', '{{', '*?[a]', '~', '#'],
];
const word = fc.oneof(fc.constantFrom(...NASTY), fc.string({ unit: 'binary', maxLength: 20 }));
/** As JSON has it: what was parsed has `__proto__` as a name like others. */
const submissions = fc
  .tuple(word, word, word, fc.jsonValue())
  .map(([prompt, name, value, schema]) =>
    JSON.parse(
      JSON.stringify({ ...general({ prompt, response_schema: { [name]: schema } }), metadata: { [name]: value } }),
    ),
  );

describe('curl', () => {
  let server: Listening;
  const received: { body: unknown; path: string; token: string | null; type: string | null }[] = [];
  beforeAll(async () => {
    server = await listen(
      async (request) => {
        const { headers } = request;
        received.push({
          ...{ body: await request.json(), path: new URL(request.url).pathname },
          ...{ token: headers.get('authorization'), type: headers.get('content-type') },
        });
        return new Response('{}');
      },
      { host: '127.0.0.1', port: 0 },
    );
  });
  afterAll(() => server.close());

  async function run(submission: object, withToken = false) {
    const shell = spawn('sh', {
      env: { ...process.env, LLM_JOBS_TOKEN: 'the token' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    shell.stdin.end(`${asCurl(submission, { origin: server.baseUrl, withToken })}\n`);
    const [said, wrong] = await Promise.all([text(shell.stdout), text(shell.stderr)]);
    expect(said, wrong).toBe('{}');
    expect(received).toHaveLength(1);
    return received.pop();
  }

  test('sends just that', async () => {
    const one = fc.asyncProperty(submissions, async (submission) => {
      expect((await run(submission))?.body).toEqual(submission);
    });
    await fc.assert(one, { numRuns: 60 });
  });

  test.each(NASTY)('sends %j', async (prompt) => {
    const submission = general({ prompt });
    expect((await run(submission))?.body).toEqual(JSON.parse(JSON.stringify(submission)));
  });

  test('sends more than an argument may hold', async () => {
    const submission = general({ prompt: "it's $END\nEND\n".repeat(20_000) });
    expect(await run(submission)).toEqual({
      ...{ body: submission, path: SUBMIT, token: null, type: 'application/json' },
    });
  });

  test('sends the token, which is not in it', async () => {
    expect(await run(general({ prompt: 'x' }), true)).toMatchObject({ token: 'Bearer the token' });
  });
});

test.each([asClient, asReact])('JavaScript of it is the same', (write) => {
  const origin = 'http://localhost:8080';
  const one = fc.property(submissions, fc.boolean(), (submission, withToken) => {
    const [, literal] =
      /(?:submitAndWait|submit)\((\{[\s\S]*\})\);\n/.exec(write(submission, { origin, withToken })) ?? [];
    expect(JSON.stringify(runInNewContext(`(${literal})`))).toBe(JSON.stringify(submission));
  });
  fc.assert(one);
});

describe('a job as it was submitted', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await openApp();
  });
  afterAll(() => api.close());

  async function viewOf(submission: object) {
    const { status, body } = await api.post(SUBMIT, submission);
    expect(status, body.error).toBe(202);
    return (await api.get(statusOf(body.job_id))).body;
  }

  test('has all that its view shows', async () => {
    const submission = {
      ...general({ prompt: 'x' }),
      ...{ question_id: 'q', project_id: 'p', tags: ['a'], metadata: { a: 'b' }, stream: true, store: false },
      ...{ max_cost: 0.5, timeout: 60, ttl_seconds: 90 },
    };
    const input = { job_type: 'general_llm_request', model_id: 'simulated', input_data: { prompt: 'x' } };
    expect(submissionOf(await viewOf(submission), input)).toEqual(submission);
    const more = { fallbacks: ['simulated-2'], cache_ttl_seconds: 60, background: true };
    const view = await viewOf({ ...general({ prompt: 'x' }), ...more });
    const again = submissionOf(view, input);
    expect(again).toMatchObject({ ...more, fallbacks: [expect.any(String)] });
    expect((await viewOf(again)).fallbacks).toEqual(view.fallbacks);
    expect(notShownOf(view)).toEqual([]);
  });

  test('says what no view shows', async () => {
    const variants = ['a', 'b'].map((name) => ({ name, weight: 50 }));
    const more = { webhook: { url: 'https://example.com/' }, experiment: { name: 'tone', variants } };
    expect(notShownOf(await viewOf({ ...general({ prompt: 'x' }), ...more }))).toEqual(['experiment', 'webhook']);
  });

  test.each(JOB_TYPES.map(({ name, limits, retentionMs }) => ({ name, limits, retentionMs })))(
    '$name: the clocks that it has by itself are left out',
    ({ name, limits, retentionMs }) => {
      expect(defaultClocks(name)).toEqual({
        start_within: limits.startWithinMs / 1_000,
        timeout: limits.timeoutMs / 1_000,
        attempt_timeout: limits.attemptTimeoutMs / 1_000,
        idle_timeout: limits.idleTimeoutMs / 1_000,
        ttl_seconds: retentionMs / 1_000,
      });
    },
  );
});
