/**
 * How long 200 slow jobs that are submitted at once wait, from when each was accepted to when a worker began:
 * to a second, as the API says both.
 */
import { printTable } from '../../infra/operating.ts';
import { drawProgress } from '../../shared/client/progress-bar.ts';

const JOBS = 200;
const PATIENCE_MS = 600_000;
/** Longer than an instance takes to start: nobody's slot is free again before the last has found one. */
const SECONDS = 30;
/** A key may read 1,200 times a minute. When a job began stands in it, however late that is read. */
const PAUSE_MS = 100;

type View = { job_id: string; created_at: string; attempts?: { started_at: string }[] };

/** Submits them through a door to a service that runs, waits until each has begun, and prints median, p95 and most. */
export async function timeToStart(url: string): Promise<void> {
  const headers = { 'Content-Type': 'application/json' };
  const body = JSON.stringify({
    job_type: 'general_llm_request',
    model_id: 'simulated',
    input_data: { prompt: `Be slow. [simulate seconds=${SECONDS}]` },
  });
  const call = async (path: string, init: RequestInit = {}): Promise<View> => {
    const response = await fetch(`${url}${path}`, { headers, ...init });
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return (await response.json()) as View;
  };
  const startedMs = performance.now();
  const submitted = await Promise.all(
    Array.from({ length: JOBS }, () => call('/api/llm/jobs/submit/', { method: 'POST', body })),
  );
  const submitSeconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  const untilMs = Date.now() + PATIENCE_MS;
  const waits: number[] = [];
  for (const { job_id } of submitted) {
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const { created_at, attempts = [] } = await call(`/api/llm/jobs/${job_id}/status/`);
      if (attempts[0]) {
        waits.push((Date.parse(attempts[0].started_at) - Date.parse(created_at)) / 1_000);
        break;
      }
      if (Date.now() > untilMs) throw new Error(`${job_id} has not begun`);
    }
    drawProgress(waits.length, JOBS);
  }
  waits.sort((one, other) => one - other);
  const at = (share: number) => `${waits[Math.min(JOBS - 1, Math.floor(share * JOBS))]} s`;
  const heads = ['jobs at once', 'accepted within', 'median', 'p95', 'most'];
  printTable(heads, [[String(JOBS), `${submitSeconds} s`, at(0.5), at(0.95), at(1)]]);
}
