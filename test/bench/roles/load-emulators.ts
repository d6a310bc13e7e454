/**
 * What asks for jobs on the emulators: some jobs under way at any time, each submitted, waited for until the worker
 * acknowledged its message, and read once; and the push driver that brings the messages to the worker.
 */
import { Agent, request } from 'node:http';
import { startPushDriver } from '../../../infra/push-driver.ts';
import { serveRole } from '../support/role.ts';

const { PROJECT = '', PUBSUB_HOST, TOPIC = '', SUBMIT_URL = '', STATUS_URL = '', WORKER_URL = '' } = process.env;
const PUSHES_AT_ONCE = 50;
const PATIENCE_MS = 60_000;

export type LoadAsked = { jobs: number; concurrency: number; body: object };
export type LoadTold = {
  jobsPerSecond: number;
  /** Of each job, the time until it was taken in. */
  submitMs: number[];
  /** Of each job, the time from the begin of its submit until the worker had acknowledged it. */
  doneMs: number[];
};

/** When a job's message was acknowledged, or who waits for it: either may come first. */
const acknowledgedMs = new Map<string, number>();
const waiting = new Map<string, (atMs: number) => void>();

/**
 * Made anew for each run: one that waits for its next run signs that it lives more often than an emulator takes, which
 * ends its connection.
 */
const startDriver = () =>
  startPushDriver({
    ...{ projectId: PROJECT, emulatorHost: PUBSUB_HOST, topic: TOPIC, pushUrl: WORKER_URL },
    concurrency: PUSHES_AT_ONCE,
    onProblem: (sentence) => console.error(sentence),
    onAnswered({ data }, status) {
      const atMs = performance.now();
      const { job_id: id } = JSON.parse(data.toString());
      if (status !== 204) console.error(`the worker answered ${status} to the message of ${id}`);
      const tell = waiting.get(id);
      if (tell) tell(atMs);
      else acknowledgedMs.set(id, atMs);
    },
  });

/** Given up before functions-framework closes it, which it does after five seconds without a request. */
const agent = new Agent({ keepAlive: true, timeout: 2_000 });

/** One request over a kept connection; throws unless it is answered with this status. */
function call(method: string, url: string, expected: number, body?: string): Promise<{ [field: string]: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const sent = request(url, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.once('end', () => {
        if (response.statusCode === expected) resolve(JSON.parse(text));
        else reject(new Error(`${method} ${url}: ${response.statusCode} ${text}`));
      });
    });
    sent.once('error', reject).end(body);
  });
}

function acknowledged(id: string): number | Promise<number> {
  const before = acknowledgedMs.get(id);
  if (before !== undefined) {
    acknowledgedMs.delete(id);
    return before;
  }
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`nobody acknowledged ${id}`)), PATIENCE_MS);
    waiting.set(id, (atMs) => {
      clearTimeout(timer);
      waiting.delete(id);
      resolve(atMs);
    });
  });
}

async function job(body: string): Promise<{ submitMs: number; doneMs: number }> {
  const startedMs = performance.now();
  const submitted = await call('POST', `${SUBMIT_URL}/api/llm/jobs/submit/`, 202, body);
  const submitMs = performance.now() - startedMs;
  const id = String(submitted.job_id);
  const doneMs = (await acknowledged(id)) - startedMs;
  const view = await call('GET', `${STATUS_URL}/api/llm/jobs/${id}/status/`, 200);
  if (view.status !== 'completed') throw new Error(`acknowledged, and not completed: ${JSON.stringify(view)}`);
  return { submitMs, doneMs };
}

serveRole({
  async run({ jobs, concurrency, body }: LoadAsked): Promise<LoadTold> {
    const driver = await startDriver();
    const text = JSON.stringify(body);
    const done: Awaited<ReturnType<typeof job>>[] = [];
    let left = jobs;
    const startedMs = performance.now();
    const oneAfterAnother = async () => {
      while (left-- > 0) done.push(await job(text));
    };
    await Promise.all(Array.from({ length: concurrency }, oneAfterAnother));
    const tookMs = performance.now() - startedMs;
    await driver.stop();
    return {
      jobsPerSecond: (jobs / tookMs) * 1_000,
      submitMs: done.map(({ submitMs }) => submitMs),
      doneMs: done.map(({ doneMs }) => doneMs),
    };
  },
});
