/** P02–P04, P09 over a real socket, through the vendor's real SDK, in real time: what the server sees is what is recorded. */
import { expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { openaiProvider } from '../../shared/llm/providers/openai.ts';
import { PROTOCOLS } from '../providers/protocols.ts';
import { type Script, type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { callsRecorded } from './invariants.ts';
import { inWorld, type Open, type World } from './world.ts';

const QUICK = { pausesMs: [20, 20, 20], jitter: 'none' } as const;
const responses = PROTOCOLS.find(({ name }) => name === 'openai, Responses');

type Reply = number | { status: number; code?: string; headers?: Record<string, string> };

/** P09: where the store matters, too. */
export function countedCallScenarios(open: Open): void {
  socketScenario(
    open,
    "P09 500, 500, 429, 200: the SDK's own retries are off, the server saw exactly the recorded calls",
    async (world, server) => {
      const limited = { status: 429, code: 'rate_limit_exceeded', headers: { 'retry-after-ms': '50' } };
      server.answerWith(inTurn([500, 500, limited, 200]));
      const job = await world.submit();
      expect(await world.deliver(job)).toEqual({ finished: 'completed' });
      const ended = await world.read(job);
      expect(server.requests).toHaveLength(4);
      expect(callsRecorded(ended)).toBe(4);
      expect(ended).toMatchObject({ result: { result: 'Hi!' }, failures: 2, refusals: 1 });
      expect(ended.attempts.map(({ errorCode, calls }) => [errorCode, calls])).toEqual([
        ['overloaded', 1],
        ['overloaded', 1],
        ['rate_limited', 1],
        [undefined, 1],
      ]);
    },
  );
}

export function socketScenarios(open: Open): void {
  const hopeless: [Exclude<Reply, number>, string][] = [
    [{ status: 429, code: 'insufficient_quota' }, 'quota_exhausted'],
    [{ status: 400, code: 'unknown_parameter' }, 'invalid_request'],
    [{ status: 401, code: 'invalid_api_key' }, 'auth'],
    [{ status: 403, code: 'forbidden' }, 'auth'],
    [{ status: 404, code: 'model_not_found' }, 'invalid_request'],
    [{ status: 400, code: 'content_policy_violation' }, 'content_policy'],
  ];
  for (const [reply, code] of hopeless) {
    socketScenario(open, `P02 ${reply.status} ${reply.code}: one request, failed as ${code}`, async (world, server) => {
      // Asks to be tried again all the same.
      server.answerWith(inTurn([{ ...reply, headers: { 'x-should-retry': 'true', 'retry-after-ms': '1' } }, 200]));
      const job = await world.submit();
      expect(await world.deliver(job)).toEqual({ finished: 'failed' });
      await expectEnd(world, job, server, { error: { code }, attempts: [{ errorCode: code }] }, 1);
    });
  }

  for (const status of [500, 502, 503, 529]) {
    socketScenario(
      open,
      `P03 ${status} twice, then 200: classified as overloaded, tried again`,
      async (world, server) => {
        server.answerWith(inTurn([status, status, 200]));
        const job = await world.submit();
        expect(await world.deliver(job)).toEqual({ finished: 'completed' });
        const attempts = [{ errorCode: 'overloaded' }, { errorCode: 'overloaded' }, { outcome: 'completed' }];
        await expectEnd(world, job, server, { failures: 2, attempts }, 3);
      },
    );
  }

  socketScenario(open, 'P03 500 for ever: as many requests as the policy has attempts', async (world, server) => {
    server.answerWith(inTurn([500]));
    const job = await world.submit();
    expect(await world.deliver(job)).toEqual({ finished: 'failed' });
    await expectEnd(world, job, server, { error: { code: 'overloaded' } }, QUICK.pausesMs.length + 1);
  });

  socketScenario(
    open,
    'P04 a connection that takes the request and never answers: attempt_timeout, tried again as planned',
    async (world, server) => {
      server.answerWith(() => {});
      const job = await world.submit({ limits: { attemptTimeoutMs: 1_000 } });
      const startedMs = world.clock.monotonicMs();
      expect(await world.deliver(job)).toEqual({ finished: 'failed' });
      const calls = QUICK.pausesMs.length + 1;
      expect(world.clock.monotonicMs() - startedMs).toBeGreaterThanOrEqual(1_000 * calls - 10);
      const attempts = Array(calls).fill({ outcome: 'failed', errorCode: 'attempt_timeout', calls: 1 });
      await expectEnd(world, job, server, { error: { code: 'attempt_timeout' }, attempts }, calls);
      // The sockets are given back, and what was used nobody knows.
      await expect.poll(server.abandoned, { timeout: 10_000 }).toBe(calls);
      expect((await world.read(job)).attempts.every(({ usage }) => usage === undefined)).toBe(true);
    },
  );
}

function socketScenario(
  open: Open,
  name: string,
  body: (world: World, server: ScriptedProvider) => Promise<void>,
): void {
  test(name, async () => {
    const server = await startScriptedProvider();
    const provider = openaiProvider({ apiKey: 'sk-test', baseUrl: `${server.url}/v1` });
    try {
      await inWorld(open, (world) => body(world, server), { provider, realTime: true, retry: QUICK });
    } finally {
      await server.stop();
    }
  });
}

/** How the job ended, and that the server got exactly the calls that the job records. */
async function expectEnd(
  world: World,
  job: Job,
  server: ScriptedProvider,
  end: object,
  requests: number,
): Promise<void> {
  const ended = await world.read(job);
  expect(ended).toMatchObject(end);
  expect(server.requests).toHaveLength(requests);
  expect(callsRecorded(ended)).toBe(requests);
}

/** Answers in turn, the last for ever. */
function inTurn(replies: readonly Reply[]): Script {
  let asked = 0;
  return async ({ json, stream, write, response }) => {
    const reply = replies[Math.min(asked++, replies.length - 1)] ?? 200;
    const { status, code = 'server_error', headers = {} } = typeof reply === 'number' ? { status: reply } : reply;
    if (status !== 200) return json(status, responses?.errorBody('Failed by the test.', code), headers);
    stream();
    await write(`${responses?.opening}${responses?.delta('Hi!')}${responses?.ending}`);
    response.end();
  };
}
