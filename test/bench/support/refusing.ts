/** A service that limits how often one may ask, and callers of it: some that ask now and then, and one that asks all the time. */
import { existsSync, readFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort, stopGroup } from '../../../infra/child-processes.ts';
import { request } from '../../support/http-client.ts';
import { startLocalProcess } from '../../support/local-process.ts';
import { cpuSeconds, withChildren } from './processes.ts';
import { median } from './statistics.ts';
import { temporaryFolder } from './temporary-folder.ts';

const OTHERS_EVERY_MS = 100;

export type Answer = { status: number; tookMs: number; jobId: string | undefined };

/** `cpuMs` is `NaN` where it cannot be told. */
export type Cost = { tookMs: number; cpuMs: number };

/** Starts a program of ours that takes this issuer's tokens, and so many writes of each user a minute. */
export async function startLimited(program: string, writesPerMinute: number, issuerUrl: string) {
  const local = await startLocalProcess(
    {
      PORT: String(await freePort()),
      DATABASE_URL: join(temporaryFolder(), 'jobs.db'),
      ...{ SIMULATED_MS: '200', LOG_LEVEL: 'error', RATE_LIMITS: `writes=${writesPerMinute}` },
      ...{ AUTH_MODE: 'oidc', OIDC_ISSUER: issuerUrl, OIDC_AUDIENCE: 'bench', OIDC_JWKS_URL: issuerUrl },
    },
    program,
  );
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });

  /** One request over a kept connection; the client itself costs as little as it can. */
  function call(method: string, path: string, token: string, body?: object): Promise<Answer> {
    const startedMs = performance.now();
    return new Promise((resolve) => {
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
      const sent = httpRequest(`${local.baseUrl}${path}`, { method, agent, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part;
        });
        response.on('end', () => {
          const jobId = /"job_id":"([^"]+)"/.exec(text)?.[1];
          resolve({ status: response.statusCode ?? 0, tookMs: performance.now() - startedMs, jobId });
        });
      });
      // A connection that was cut is an answer, too: that of nobody.
      sent
        .on('error', () => resolve({ status: 0, tookMs: performance.now() - startedMs, jobId: undefined }))
        .end(body && JSON.stringify(body));
    });
  }
  const submit = (token: string) => call('POST', '/api/llm/jobs/submit/', token, request('simulated', 'Say hello.'));

  /** What our processes, not the emulators, have used of the processors so far, where the system counts it. */
  function cpuMs(): number {
    if (!existsSync('/proc/self/stat')) return Number.NaN;
    const ours = withChildren(local.child.pid ?? 0).filter(
      (pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') !== 'java\n',
    );
    return 1_000 * cpuSeconds(ours);
  }

  return {
    submit,

    /** Those with `tokens` submit a job now and then and poll it, while who has `flood` floods; answers how long they waited. */
    async round(tokens: readonly string[], flood: { token: string; perSecond: number } | undefined, roundMs: number) {
      const took: number[] = [];
      const statuses = new Map<number, number>();
      const untilMs = performance.now() + roundMs;
      const other = async (token: string) => {
        do {
          const submitted = await submit(token);
          const polled = await call('GET', `/api/llm/jobs/${submitted.jobId}/status/`, token);
          for (const { status, tookMs } of [submitted, polled]) {
            if (status === 0 || status >= 400) throw new Error(`one of the others was answered ${status}`);
            took.push(tookMs);
          }
          await pause(OTHERS_EVERY_MS * (0.5 + Math.random()));
        } while (performance.now() < untilMs);
      };
      const flooding = async ({ token, perSecond }: { token: string; perSecond: number }) => {
        const startedMs = performance.now();
        const open: Promise<void>[] = [];
        let sent = 0;
        while (performance.now() < untilMs) {
          for (const due = ((performance.now() - startedMs) / 1_000) * perSecond; sent < due; sent++)
            open.push(submit(token).then(({ status }) => void statuses.set(status, (statuses.get(status) ?? 0) + 1)));
          await pause(1);
        }
        await Promise.all(open);
      };
      await Promise.all([...tokens.map(other), ...(flood ? [flooding(flood)] : [])]);
      return { took, statuses };
    },

    /** Submits of one, until none is taken: many at once, for the bucket of one who asks slowly never gets empty. */
    async spend(token: string): Promise<void> {
      const many = () => Promise.all(Array.from({ length: 32 }, () => submit(token)));
      while ((await many()).every(({ status }) => status === 202));
    },

    /** Submits one after the other, so that a time is a cost; of those that are served, with the job that follows. */
    async costOf(token: string, expected: number, count: number, jobsMs: number): Promise<Cost> {
      const took: number[] = [];
      const startedCpuMs = cpuMs();
      let sent = 0;
      // The bucket of who is refused fills a little meanwhile.
      for (; took.length < count && sent < 10 * count; sent++) {
        const { status, tookMs } = await submit(token);
        if (status === expected) took.push(tookMs);
      }
      if (took.length < count) throw new Error(`only ${took.length} were answered ${expected}`);
      await pause(jobsMs);
      // Where many were answered otherwise, the time of the processors is not that of these.
      const isClean = sent < 1.2 * count;
      return { tookMs: median(took), cpuMs: isClean ? (cpuMs() - startedCpuMs) / sent : Number.NaN };
    },

    async stop(): Promise<void> {
      await stopGroup(local.child);
      agent.destroy();
    },
  };
}
