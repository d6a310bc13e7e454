/** One trace from the caller's `traceparent` through submit, document, message and worker to the provider. */
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { opentelemetryTracing } from '../../shared/adapters/opentelemetry-tracing.ts';
import type { Job } from '../../shared/core/job.ts';
import { encodeDoorbell } from '../../shared/http/push.ts';
import { PROTOCOLS } from '../providers/protocols.ts';
import { general, SUBMIT } from '../support/app.ts';
import { LOCAL, type LogLine, startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulators } from '../support/emulators.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const LOGGED = 'logging.googleapis.com/trace';
/** Those of a job's life that are lines of its own trace, whoever writes them. */
const EVENTS = ['job-submitted', 'attempt-started', 'job-finished'];
const parentOf = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;

describeOnEmulators('one trace', () => {
  let provider: ScriptedProvider;
  let stack: TestStack;
  beforeAll(async () => {
    provider = await startScriptedProvider();
    provider.answerWith(async ({ stream, write, response }) => {
      stream();
      await answer(write);
      response.end();
    });
    const openai = { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: `${provider.url}/v1` };
    stack = await startTestStack({ ...openai, SWEEP_MS: '500' });
  });
  afterAll(async () => {
    await stack?.stop();
    await provider?.stop();
  });

  /** All lines about this job. */
  const linesOf = (id: string): LogLine[] =>
    stack.lines.flatMap((line) => (line.includes(id) ? [JSON.parse(line.slice(line.indexOf('{')))] : []));
  const traceIn = (parent: string) => `projects/${stack.unheard.config.projectId}/traces/${parent.split('-')[1]}`;
  /** Of the requests to the provider that hold this text. */
  const sentAbout = (text: string) =>
    provider.requests
      .filter(({ body }) => JSON.stringify(body).includes(text))
      .map(({ headers }) => headers.traceparent);
  const untilFinished = (id: string) =>
    expect
      .poll(() => linesOf(id).find(({ message }) => message === 'job-finished'), { timeout: 15_000 })
      .toMatchObject({ state: 'completed' });
  /** Waits for the end of the job, of which this trace is to be everywhere, and no other one. */
  async function expectAll(id: string, parent: string, prompt: string, events = EVENTS): Promise<void> {
    await untilFinished(id);
    const lines = linesOf(id);
    expect(lines.map(({ message }) => message)).toEqual(expect.arrayContaining(events));
    expect(lines.filter((line) => line[LOGGED] !== traceIn(parent))).toEqual([]);
    expect(sentAbout(prompt)).toEqual([parent]);
    expect((await stack.unheard.service.read(LOCAL, id)).job.traceparent).toBe(parent);
  }

  test('is on the submit line, the document, the message, the worker line and the request to the provider', async () => {
    const { projectId } = stack.unheard.config;
    const pubsub = new PubSub({ projectId, apiEndpoint: emulators().pubsub, emulatorMode: true });
    const [listening] = await pubsub.topic('llm-jobs').createSubscription(`s-${crypto.randomUUID()}`);
    const heard: (string | undefined)[] = [];
    listening.on('message', (message) => {
      heard.push(message.attributes.googclient_traceparent);
      message.ack();
    });
    const submission = general({ prompt: 'Hello.' }, 'gpt-4o-mini');
    const submit = (traceparent: string) =>
      fetch(`${stack.baseUrl}${SUBMIT}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Idempotency-Key': 'one', traceparent },
        body: JSON.stringify(submission),
      });
    const { job_id: id } = await (await submit(PARENT)).json();
    const lineOf = (event: string) => stack.logged(event).find(({ job_id }) => job_id === id);
    await expect.poll(() => lineOf('job-finished'), { timeout: 15_000 }).toMatchObject({ state: 'completed' });
    for (const event of ['job-submitted', 'attempt-started', 'job-finished']) {
      expect(lineOf(event)).toMatchObject({ [LOGGED]: `projects/${projectId}/traces/${TRACE}` });
      expect(lineOf(event)).toHaveProperty('tenant_hash');
    }
    expect(provider.requests.map(({ headers }) => headers.traceparent)).toEqual([PARENT]);
    await expect.poll(() => heard).toEqual([PARENT]);
    expect((await stack.unheard.service.read(LOCAL, id)).job.traceparent).toBe(PARENT);

    // A repeat in another trace is a repeat, and the job stays in its own.
    const again = await submit(`00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`);
    expect(again.headers.get('Idempotency-Replayed')).toBe('true');
    expect((await again.json()).job_id).toBe(id);
    expect((await stack.unheard.service.read(LOCAL, id)).job.traceparent).toBe(PARENT);
    await pubsub.close();
  });

  test("a submission that was published is of its publisher's trace", async () => {
    const { projectId } = stack.unheard.config;
    const pubsub = new PubSub({ projectId, apiEndpoint: emulators().pubsub, emulatorMode: true });
    const id = crypto.randomUUID();
    const json = { ...general({ prompt: 'Published.' }, 'gpt-4o-mini'), job_id: id };
    const attributes = { googclient_traceparent: parentOf('3') };
    await pubsub.topic('llm-jobs-submissions').publishMessage({ json, attributes });
    await expectAll(id, parentOf('3'), 'Published.');
    await pubsub.close();
  });

  test('a doorbell that names no trace: the job stays in its own, which its document has', async () => {
    const job = await submitUnheard('Unnamed.', parentOf('7'));
    const pushed = await fetch(stack.functions.worker.url, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(encodeDoorbell(job, '1', 1)),
    });
    expect(pushed.status).toBe(204);
    await expectAll(job.id, parentOf('7'), 'Unnamed.', ['attempt-started', 'job-finished']);
  });

  test('a job whose doorbell was lost, and that the sweeper rings, stays in its own trace', async () => {
    const job = await submitUnheard('Unheard.', parentOf('4'));
    expect(linesOf(job.id)).toEqual([]);
    await makeDue(job.id);
    await expectAll(job.id, parentOf('4'), 'Unheard.', ['attempt-started', 'job-finished']);
    // The sweep itself is of no job's trace.
    const swept = () => stack.logged('swept').find(({ rung }) => rung === 1);
    await expect.poll(swept).toBeDefined();
    expect(swept()).not.toHaveProperty(LOGGED);
  });

  test('two jobs at once in one worker: each has its own, on every line and in every request', async () => {
    const started = stack.logged('attempt-started').length;
    let release = () => {};
    const both = new Promise<void>((resolve) => {
      release = resolve;
    });
    let waiting = 0;
    provider.answerWith(async ({ stream, write, response }) => {
      stream();
      if (++waiting === 2) release();
      await both;
      await answer(write);
      response.end();
    });
    const submitted = ['5', '6'].map(async (digit) => {
      const response = await fetch(`${stack.baseUrl}${SUBMIT}`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', traceparent: parentOf(digit) },
        body: JSON.stringify(general({ prompt: `At once ${digit}.` }, 'gpt-4o-mini')),
      });
      return { digit, id: (await response.json()).job_id as string };
    });
    for (const { digit, id } of await Promise.all(submitted)) {
      await expectAll(id, parentOf(digit), `At once ${digit}.`);
    }
    // Neither was answered before both had asked.
    expect([waiting, stack.logged('attempt-started').length - started]).toEqual([2, 2]);
    for (const { digit, id } of await Promise.all(submitted)) {
      const inTrace = stack.lines.filter(
        (line) => line.startsWith('worker: ') && line.includes(traceIn(parentOf(digit))),
      );
      expect(inTrace.filter((line) => !line.includes(id))).toEqual([]);
    }
  });

  async function submitUnheard(prompt: string, parent: string): Promise<Job> {
    const submission = { jobType: 'general_llm_request', model: 'gpt-4o-mini', input: { prompt } };
    const { job } = await opentelemetryTracing().span('lost', { kind: 'server', parent }, () =>
      stack.unheard.service.submit(LOCAL, submission),
    );
    return job;
  }

  /** What the clock does half a minute after a doorbell that nobody heard. */
  async function makeDue(id: string): Promise<void> {
    const path = `projects/${stack.unheard.config.projectId}/databases/(default)/documents/jobs/default~${id}`;
    const response = await fetch(`http://${emulators().firestore}/v1/${path}?updateMask.fieldPaths=wakeAt`, {
      method: 'PATCH',
      headers: { Authorization: 'Bearer owner', 'Content-Type': 'application/json' },
      body: JSON.stringify({ fields: { wakeAt: { timestampValue: new Date().toISOString() } } }),
    });
    expect(response.status).toBe(200);
  }
});

async function answer(write: (text: string) => Promise<void>): Promise<void> {
  const [responses] = PROTOCOLS;
  if (!responses) throw new Error('no protocol');
  await write(responses.opening + responses.delta('Done.') + responses.ending);
}
