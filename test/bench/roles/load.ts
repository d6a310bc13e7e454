/**
 * Callers of the Jobs API over keep-alive connections: a closed loop, in which each submits its next job when it has the
 * answer of its last, and an open one, which submits at a rate whatever becomes of them.
 */
import { Agent, request as httpRequest } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { serveRole } from '../support/role.ts';

export type ClosedLoop = { baseUrl: string; jobs: number; inFlight: number };
export type OpenLoop = { baseUrl: string; perSecond: number; seconds: number };

/** How long each job took, in milliseconds; in an open loop since the instant at which its submit was due. */
export type Took = { submitMs: number[]; doneMs: number[]; seconds: number };

const WAIT_SECONDS = 20;
const MODEL = 'gpt-4o-mini';

let submitted = 0;
/** Of one run: servers close connections that were idle for seconds, as they are while others take their turn. */
let agent = new Agent();

function ask<T>(baseUrl: string, method: 'GET' | 'POST', path: string, body?: object): Promise<T> {
  return new Promise((resolve, reject) => {
    const text = body && JSON.stringify(body);
    const headers = text ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) } : {};
    const sent = httpRequest(`${baseUrl}${path}`, { method, agent, headers }, (response) => {
      const pieces: Buffer[] = [];
      response.on('data', (piece: Buffer) => pieces.push(piece));
      response.once('error', reject);
      response.once('end', () => {
        const answer = Buffer.concat(pieces).toString();
        if ((response.statusCode ?? 500) < 300) resolve(JSON.parse(answer));
        else reject(new Error(`${method} ${path} answered ${response.statusCode} ${answer}`));
      });
    });
    sent.once('error', (error: NodeJS.ErrnoException) => {
      // A server that closes an idle connection, at the instant at which it is used again, has not heard the request.
      if (sent.reusedSocket && error.code === 'ECONNRESET') resolve(ask<T>(baseUrl, method, path, body));
      else reject(error);
    });
    sent.end(text);
  });
}

/** One job from its submit to its answer, which must be a good one. */
async function job(baseUrl: string, dueMs: number, took: Took): Promise<void> {
  const { job_id } = await ask<{ job_id: string }>(baseUrl, 'POST', '/api/llm/jobs/submit/', {
    job_type: 'general_llm_request',
    model_id: MODEL,
    input_data: { prompt: `Summarise ticket ${submitted++} in one sentence.` },
  });
  took.submitMs.push(performance.now() - dueMs);
  for (;;) {
    const view = await ask<{ status: string; is_complete: boolean; result_data?: { result: string } }>(
      ...([baseUrl, 'GET', `/api/llm/jobs/${job_id}/status/?wait=${WAIT_SECONDS}`] as const),
    );
    if (!view.is_complete) continue;
    if (!view.result_data?.result.includes('word0')) throw new Error(`no good answer: ${JSON.stringify(view)}`);
    took.doneMs.push(performance.now() - dueMs);
    return;
  }
}

/** Connections are open before the clock starts: a server that is busy takes new ones one by one. */
async function timed(baseUrl: string, connections: number, work: (took: Took) => Promise<void>): Promise<Took> {
  agent = new Agent({ keepAlive: true, scheduling: 'fifo', maxFreeSockets: connections });
  await Promise.all(Array.from({ length: connections }, () => ask(baseUrl, 'GET', '/health')));
  const took: Took = { submitMs: [], doneMs: [], seconds: 0 };
  const startedMs = performance.now();
  await work(took);
  took.seconds = (performance.now() - startedMs) / 1_000;
  agent.destroy();
  return took;
}

serveRole({
  closed: ({ baseUrl, jobs, inFlight }: ClosedLoop) =>
    timed(baseUrl, inFlight, async (took) => {
      let left = jobs;
      const caller = async () => {
        while (left-- > 0) await job(baseUrl, performance.now(), took);
      };
      await Promise.all(Array.from({ length: inFlight }, caller));
    }),
  open: ({ baseUrl, perSecond, seconds }: OpenLoop) =>
    timed(baseUrl, perSecond, async (took) => {
      const startMs = performance.now();
      const jobs: Promise<void>[] = [];
      for (let n = 0; n < perSecond * seconds; n++) {
        const dueMs = startMs + (n * 1_000) / perSecond;
        if (dueMs > performance.now()) await pause(dueMs - performance.now());
        const one = job(baseUrl, dueMs, took);
        // Heard of at the end.
        one.catch(() => {});
        jobs.push(one);
      }
      await Promise.all(jobs);
    }),
});
