/** Followers of jobs on the real service, over sockets, with a browser's storage and a network that a test disturbs. */
import { vi } from 'vitest';
import { listen } from '../../infra/listen.ts';
import { createClient } from '../../shared/client/client.ts';
import { type FollowerOptions, type JobFollower, jobFollower } from '../../shared/client/follower.ts';
import type { JobStorage } from '../../shared/client/kept-job.ts';
import type { Submission } from '../../shared/client/submissions.ts';
import { openApp } from '../support/app.ts';

/** Two kinds of text at once: what a test looks for, and `[simulate …]`. */
export function prompt(text: string): Submission {
  return { job_type: 'general_llm_request', model_id: 'simulated', stream: true, input_data: { prompt: text } };
}

export type TabStorage = JobStorage & { kept(): unknown };

/** What a tab has, as it outlives the page. */
export function tabStorage(): TabStorage {
  const values = new Map<string, string>();
  return {
    getItem: (key) => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value),
    removeItem: (key) => void values.delete(key),
    kept: () => JSON.parse(values.get('job') ?? 'null'),
  };
}

type Request = { method: string; path: string };
/** Stands between a follower and the service; without an answer it is as if it were not there. */
type Disturbance = (request: Request, go: (over?: RequestInit) => Promise<Response>) => Promise<Response> | undefined;

export async function followerWorld() {
  const api = await openApp({ LOG_LEVEL: 'error' });
  const server = await listen(api.app.fetch, { host: '127.0.0.1', port: 0 });

  /** A page with one follower. */
  function page<Result = unknown>(options: Partial<FollowerOptions> = {}, disturb: Disturbance = () => undefined) {
    const requests: string[] = [];
    const client = createClient({
      baseUrl: server.baseUrl,
      fetch: (input, init) => {
        const path = String(input).slice(server.baseUrl.length);
        const request = { method: init?.method ?? 'GET', path };
        requests.push(`${request.method} ${path.replace(/^.*jobs\/[^/]+\/|\?.*$/g, '')}`.trim());
        const go = (over: RequestInit = {}) => fetch(input, { ...init, ...over });
        return disturb(request, go) ?? go();
      },
    });
    const follower = jobFollower<Result>({ client: () => client, key: 'job', storage: tabStorage(), ...options });
    return { follower, requests, seen: () => follower.getSnapshot() };
  }

  return {
    ...api,
    page,
    /** How many jobs there are in all. */
    jobs: async (): Promise<number> => (await api.get('/api/llm/jobs/?limit=100')).body.jobs.length,
    async close() {
      await server.close();
      await api.close();
    },
  };
}

/** Waits until a follower shows what is looked for, without subscribing to it. */
export function shown(follower: JobFollower, status: string): Promise<unknown> {
  return vi.waitUntil(() => follower.getSnapshot().status === status, { timeout: 10_000, interval: 2 });
}

/** Waits until it is so, also on a busy machine. */
export function until(isSo: () => unknown): Promise<unknown> {
  return vi.waitUntil(isSo, { timeout: 10_000, interval: 5 });
}
