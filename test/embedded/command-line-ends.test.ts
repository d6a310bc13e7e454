/** `npx llm-jobs` against the embedded service: how it ends, and the program as a process. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorBody } from '../../functions/surfaces/llm-jobs-schemas.ts';
import { freePort } from '../../infra/child-processes.ts';
import manifest from '../../package.json' with { type: 'json' };
import { newJobId } from '../../shared/client/client.ts';
import { drawn, jsonOf, type Served, SHELL_PROGRAM, startLlmJobs, startServed } from '../support/command-line.ts';

let served: Served;
beforeAll(async () => {
  served = await startServed();
});
afterAll(() => served.close());

const MODEL = ['--model', 'simulated'];
const SLOW = '[simulate seconds=60]';
const ANSWER = /^This is a simulated answer to "Say hello\."/;

describe.concurrent('what goes wrong', () => {
  test('a job that failed says why, and ends with 1', async () => {
    const prompt = '[simulate fail=content_policy]';
    const piped = await served.run(['submit', '--wait', ...MODEL, prompt]);
    expect(piped).toMatchObject({ code: 1, stderr: '' });
    expect(jsonOf(piped)).toMatchObject([{ status: 'failed', error_code: 'content_policy' }]);
    for (const how of ['--wait', '--stream']) {
      const shown = await served.run(['submit', how, ...MODEL, prompt], { tty: true });
      expect(shown).toMatchObject({ code: 1, stdout: '' });
      expect(shown.stderr).toContain(
        'The simulated model was told to fail: content_policy. (content_policy)\nfailed by',
      );
    }
  });

  test('a job that was cancelled ends a wait with 1', async () => {
    const id = await served.submit(SLOW);
    const waiting = served.run(['wait', id]);
    const tailing = served.run(['tail', id], { tty: true });
    const cancelled = await served.run(['cancel', id], { tty: true });
    expect(cancelled).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^The job is (over: cancelled|told to end)/),
    });
    expect(jsonOf(await waiting)).toMatchObject([{ job_id: id, status: 'cancelled' }]);
    expect(await waiting).toMatchObject({ code: 1 });
    expect(await tailing).toMatchObject({ code: 1, stderr: expect.stringContaining('cancelled by Simulated') });
  });

  test('what the server refuses is said in its words, and ends with 3', async () => {
    const words = ['submit', '--model', 'gpt-99', 'Say hello.'];
    const piped = await served.run(words);
    expect(piped).toMatchObject({ code: 3, stdout: '' });
    const error = JSON.parse(piped.stderr);
    expect(error).toMatchObject({ status: 400, details: [{ path: 'model_id' }] });
    const { status, job_id, ...body } = error;
    expect(errorBody.parse(body)).toEqual(body);
    const shown = await served.run(words, { tty: true });
    expect(shown.stderr).toMatch(/^model_id: no such model; .* \(invalid_request; request \S+\)\n$/);
    for (const command of ['wait', 'tail', 'cancel']) {
      const unknown = await served.run([command, newJobId()], { tty: true });
      expect(unknown).toMatchObject({ code: 3, stderr: expect.stringContaining('Job not found (job_not_found') });
    }
  });

  test('a server that does not answer ends it with 3; what was submitted may be submitted again', async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    const nobody = ['--url', url, '--timeout', '1.5'];
    const id = newJobId();
    const submitted = await served.run(['submit', ...MODEL, '--id', id, 'Say hello.', ...nobody], { tty: true });
    expect(submitted).toMatchObject({ code: 3, stdout: '' });
    expect(submitted.stderr).toContain('The server cannot be reached. (no_answer)');
    expect(submitted.stderr).toContain(`submit it again with --id ${id}, and it is one job.`);
    const [waited, tailed, listed] = await Promise.all([
      served.run(['wait', id, ...nobody], { tty: true }),
      served.run(['tail', id, ...nobody]),
      served.run(['list', ...nobody]),
    ]);
    expect(waited.stderr).toContain(`${url} cannot be reached; trying again`);
    expect([waited.code, tailed.code, listed.code]).toEqual([3, 3, 3]);
    expect(JSON.parse(tailed.stderr)).toMatchObject({ code: 'no_answer', job_id: id });
  });

  test.each([
    [503, 'store_unavailable', true],
    [504, undefined, true],
    [200, undefined, true],
    [503, 'model_unavailable', false],
    [429, 'rate_limited', false],
  ])('after a %i %s it says whether the job may be stored all the same: %s', async (status, code, isUnsure) => {
    const refusing: typeof fetch = async () =>
      code ? Response.json({ code }, { status }) : new Response('', { status });
    const ran = await served.run(['submit', ...MODEL, 'Hi.', '--timeout', '0.1'], { tty: true, fetch: refusing });
    expect([ran.code, ran.stderr.includes('It may be stored all the same')]).toEqual([3, isUnsure]);
    const isTold = ran.stderr.includes(`${served.baseUrl} answers ${status}; trying again`);
    expect(isTold).toBe(status >= 500);
  });

  test('when the time is up the job goes on: 4', async () => {
    const id = await served.submit(SLOW);
    for (const command of ['wait', 'tail']) {
      const shown = await served.run([command, id, '--timeout', '0.5'], { tty: true });
      expect(shown).toMatchObject({ code: 4, stdout: '' });
      expect(shown.stderr).toContain(`(wait_timeout)\nTake it up: npx llm-jobs wait ${id}\n`);
    }
    const streamed = await served.run(['submit', '--stream', ...MODEL, SLOW, '--timeout', '4']);
    expect(streamed.code).toBe(4);
    const { job_id } = JSON.parse(streamed.stderr);
    for (const job of [id, job_id]) await served.run(['cancel', job]);
  });

  test('the submit and the wait after it are within one limit', async () => {
    const late: typeof fetch = async (url, options) => {
      if (options?.method === 'PUT') await new Promise((resolve) => setTimeout(resolve, 1_500));
      return fetch(url, options);
    };
    const startedMs = performance.now();
    const both = await served.run(['submit', '--wait', ...MODEL, SLOW, '--timeout', '2'], { fetch: late });
    expect(both.code).toBe(4);
    expect(performance.now() - startedMs).toBeLessThan(3_300);
    await served.run(['cancel', JSON.parse(both.stderr).job_id]);
  });
});

test.each([
  ['submit', 'If the job was submitted it goes on: npx llm-jobs wait'],
  ['wait', 'The job goes on: npx llm-jobs wait'],
  ['tail', 'The job goes on: npx llm-jobs tail'],
  ['cancel', 'The job may end: npx llm-jobs wait'],
  ['list', undefined],
])('who is interrupted in the middle of %s is told what is true', async (command, told) => {
  const ending = new AbortController();
  const silent: typeof fetch = async (_, options) => {
    setTimeout(() => ending.abort(), 10);
    await new Promise((resolve) => options?.signal?.addEventListener('abort', resolve));
    throw options?.signal?.reason;
  };
  const id = newJobId();
  const words = { submit: [...MODEL, '--id', id, 'Hi.'], list: [] }[command] ?? [id];
  const ran = await served.run([command, ...words], { tty: true, fetch: silent, signal: ending.signal });
  expect(ran).toMatchObject({ code: 130, stdout: '' });
  expect(ran.stderr.split('\n').at(-2)).toBe(told ? `Interrupted. ${told} ${id}` : 'Interrupted.');
  expect(ran.stderr).not.toContain('cannot be reached');
});

describe.concurrent('as a process', () => {
  test('Ctrl-C ends it at once, says that the job goes on, and how to take it up', async () => {
    const statusOf = (id: string) => fetch(`${served.baseUrl}/api/llm/jobs/${id}/status/`);
    const startedMs = performance.now();
    const ran = await startLlmJobs(
      ['submit', '--wait', '--text', ...MODEL, SLOW],
      served.environment,
      async ({ stderr }, kill) => {
        const [, id] = /^Job (\S+)\n$/.exec(stderr) ?? [];
        if (id === undefined) return;
        while (!(await statusOf(id)).ok) await new Promise((resolve) => setTimeout(resolve, 20));
        kill('SIGINT');
      },
    );
    expect(performance.now() - startedMs).toBeLessThan(30_000);
    const id = /^Job (\S+)\n/.exec(ran.stderr)?.[1] ?? '';
    expect(ran).toMatchObject({ code: 130, stdout: '' });
    expect(ran.stderr).toContain(`If the job was submitted it goes on: npx llm-jobs wait ${id}\n`);
    expect(await (await statusOf(id)).json()).toMatchObject({ is_complete: false });

    let isTold = false;
    const tailed = await startLlmJobs(['tail', id], served.environment, ({ stdout }, kill) => {
      if (stdout !== '' && !isTold) kill('SIGTERM');
      isTold = stdout !== '';
    });
    expect(tailed.code).toBe(143);
    expect(JSON.parse(tailed.stderr)).toMatchObject({ code: 'interrupted', job_id: id });
    await served.run(['cancel', id]);
  });

  test('a reader that goes ends it quietly', async () => {
    const shell = `set -o pipefail; ${SHELL_PROGRAM} submit --stream --model simulated 'Hi. [simulate seconds=3]' | head -n 1`;
    const ran = await startLlmJobs(shell, served.environment);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(jsonOf(ran)).toMatchObject([{ type: 'snapshot', job: { is_complete: false } }]);
  });

  // Elsewhere there is no such file.
  test.runIf(process.platform === 'linux')('a full disk is no failed job, and takes nothing but itself', async () => {
    const full = await startLlmJobs(`${SHELL_PROGRAM} --version > /dev/full`, {});
    const sentence = 'Standard output cannot be written: ENOSPC: no space left on device, write.\n';
    expect(full).toEqual({ code: 74, stdout: '', stderr: sentence });
    const words = `submit --wait --text --model simulated 'Say hello.' 2> /dev/full`;
    const beside = await startLlmJobs(`${SHELL_PROGRAM} ${words}`, served.environment);
    expect(beside).toMatchObject({ code: 0, stdout: expect.stringMatching(ANSWER) });
  });

  // Elsewhere `script` has other options.
  test.runIf(process.platform === 'linux')('in a terminal it draws', async () => {
    const inner = `${SHELL_PROGRAM} submit --wait --model simulated "Say hello."`.replaceAll("'", '"');
    const ran = await startLlmJobs(`script -qec '${inner}' /dev/null </dev/null`, served.environment);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain(drawn('█', '100 %  Done\r\n'));
    expect(ran.stdout).toContain('This is a simulated answer to "Say hello."');
  });

  test('it has a version, and ends with what it ends with', async () => {
    expect(await startLlmJobs(['--version'], {})).toEqual({ code: 0, stdout: `${manifest.version}\n`, stderr: '' });
    const piped = `echo 'Say hello.' | ${SHELL_PROGRAM} submit --wait --text --model simulated`;
    expect(await startLlmJobs(piped, served.environment)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(ANSWER),
    });
  });
});
