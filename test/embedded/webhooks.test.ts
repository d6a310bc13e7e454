/** Webhooks of `npm start`, killed in the middle: who is told of a job is told, whatever becomes of the process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { ask, pollToEnd, request, submit } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { wrongTold } from '../support/told-check.ts';
import { type HookEvent, startReceiver } from '../support/webhook-receiver.ts';

const JOBS = 30;
const EVENTS = ['job.started', 'job.completed', 'job.failed', 'job.cancelled'];
const SECRETS = ['one', 'two'].map(
  (word) => `whsec_${Buffer.from(`a secret of a receiver: ${word}`).toString('base64')}`,
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

test('30 jobs, killed while it tells and after it has told: each event comes, none of a state that never was', async () => {
  const environment = {
    ...{ PORT: String(await freePort()), DATABASE_URL: join(folder, 'jobs.db'), SIMULATED_MS: '200' },
    ...{ WEBHOOK_SECRETS: SECRETS.join(','), SWEEP_MS: '200' },
  };
  let service = await startLocalProcess(environment);
  let killing: 'receipt' | 'answer' | undefined;
  const killed: HookEvent[] = [];
  /** While it tells of an end, or when it has. Whether it killed it. */
  const killAt = (moment: typeof killing, event: HookEvent) => {
    if (killing !== moment || event.type === 'job.started') return false;
    killing = undefined;
    killed.push(event);
    service.child.kill('SIGKILL');
    return true;
  };
  const receiver = await startReceiver({
    secrets: SECRETS,
    mannerOf: (event, times) => {
      if (killAt('receipt', event)) return 'hang';
      // Only before the first kill: a try that a kill ended is one, too, and after the second the pause is minutes.
      return times === 0 && killed.length === 0 && /[0-3]$/.test(event.id) ? 'refuse' : 'answer';
    },
    onAnswered: (event) => void killAt('answer', event),
  });
  try {
    const webhook = { url: receiver.url, events: EVENTS, include: 'job' };
    const ids: string[] = [];
    for (let n = 0; n < JOBS; n++) {
      const fails = n % 3 === 1 ? ' [simulate fail=auth]' : '';
      const id = await submit(service.baseUrl, { ...request('simulated', `Webhook ${n}.${fails}`), webhook });
      ids.push(id);
      if (n % 3 === 2) await ask(service.baseUrl, `/api/llm/jobs/${id}/cancel/`, {});
      if (n !== 8 && n !== 18) continue;
      const died = new Promise((resolve) => service.child.once('exit', (_, signal) => resolve(signal)));
      killing = n === 8 ? 'receipt' : 'answer';
      expect(await died).toBe('SIGKILL');
      service = await startLocalProcess(environment);
    }
    const views = await Promise.all(ids.map((id) => pollToEnd(service.baseUrl, id)));
    const jobs = views.map(({ job_id: id, status, attempts, ...view }) => ({
      ...{ id, status, version: view.version as number, wasStarted: attempts.length > 0 },
    }));
    const evidence = { jobs, receipts: receiver.receipts };
    await expect.poll(() => wrongTold(evidence), { timeout: 15_000, interval: 100 }).toEqual([]);
    expect(receiver.wrong).toEqual([]);
    for (const { type, body, jobId } of receiver.receipts) {
      const { job } = JSON.parse(body).data;
      expect(job?.job_id, type).toBe(type === 'job.started' ? undefined : jobId);
    }
    expect(new Set(jobs.map(({ status }) => status))).toEqual(new Set(['completed', 'failed', 'cancelled']));
    // What was being told was told again, with its id. An answer may be written down before the kill is felt.
    expect(killed).toHaveLength(2);
    expect(receiver.receipts.filter(({ id }) => id === killed[0]?.id).length).toBeGreaterThan(1);
  } finally {
    await stopGroup(service.child);
    await receiver.stop();
  }
}, 90_000);
