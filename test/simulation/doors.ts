/** How requests get to a process of the simulation: by a call, or over HTTP and a real socket. */
import { publicApp } from '../../functions/surfaces/mount.ts';
import { listen } from '../../infra/listen.ts';
import { readConfig } from '../../shared/config.ts';
import type { Job, Limits } from '../../shared/core/job.ts';
import type { ModelCatalog } from '../../shared/core/llm.ts';
import type { JobService } from '../../shared/core/service.ts';
import { asLocalUser } from '../../shared/http/auth.ts';
import { noLimits } from '../../shared/http/limits.ts';
import { type PushHandler, respondToPush } from '../../shared/http/push.ts';
import { equalOf, tenantOf } from './equal-jobs.ts';
import { hasFallback, isFleeting, isInBackground, isStreamed, promptOf } from './model.ts';
import { webhookOf } from './told.ts';

export const LOCAL = { tenant: 'default', user: 'local', scopes: [] };
const JOB_TYPE = 'general_llm_request';
const MODEL = 'simulated';
const OTHER_MODEL = 'simulated-2';

const CACHE_MS = 60_000;
const OWN = { tags: ['mine'], metadata: { mine: 'too' } };

type Asked = Pick<Job, 'state' | 'cancelRequestedAt'>;
type Door = { close(): void };
export type ApiDoor = Door & {
  submit(id: string, limits: Partial<Limits>): Promise<unknown>;
  cancel(id: string): Promise<Asked>;
  remove(id: string): Promise<unknown>;
  /** Makes one new job of it, and answers its id. */
  redrive(id: string): Promise<string>;
  /** Reads it, as its owner. */
  read(id: string): Promise<unknown>;
};
export type WorkerDoor = Door & { deliver(body: unknown): Promise<boolean> };

export type Doors = {
  api(service: JobService, models: ModelCatalog): Promise<ApiDoor>;
  worker(handle: PushHandler): Promise<WorkerDoor>;
};

const close = () => {};

const by = (id: string) => ({ ...LOCAL, tenant: tenantOf(id) });

export const directDoors: Doors = {
  api: async (service) => ({
    close,
    submit: (jobId, limits) =>
      service.submit(by(jobId), {
        ...{ jobType: JOB_TYPE, model: MODEL, input: { prompt: promptOf(jobId) }, jobId, limits },
        // Who has too little gets as far as a worker.
        emptyAccount: 'accept',
        ...{ ...OWN, stream: isStreamed(jobId) || undefined, store: isFleeting(jobId) ? false : undefined },
        cacheMs: equalOf(jobId) === undefined ? undefined : CACHE_MS,
        background: isInBackground(jobId) || undefined,
        fallbacks: hasFallback(jobId) ? [OTHER_MODEL] : undefined,
        webhook: webhookOf(jobId),
      }),
    cancel: async (id) => (await service.cancel(by(id), id)).job,
    remove: async (id) => (await service.remove(by(id), id)).job,
    redrive: async (id) => (await service.redrive(by(id), id)).job.id,
    read: async (id) => (await service.read(by(id), id)).job,
  }),
  worker: async (deliver) => ({ close, deliver }),
};

export const httpDoors: Doors = {
  async api(service, models) {
    const config = readConfig({ SURFACES: 'llm-jobs', STREAM_MS: '1000' });
    const app = publicApp(
      { service, models, jobTokens: undefined, authenticate: asLocalUser, limits: noLimits, log: () => {}, config },
      ['writes', 'reads'],
    );
    const { baseUrl, signal, close } = await open(app.fetch);
    const seconds = (ms: number | undefined) => (ms === undefined ? undefined : ms / 1_000);
    return {
      close,
      submit: (id, { startWithinMs, timeoutMs, attemptTimeoutMs, idleTimeoutMs }) =>
        ask(signal, 'PUT', `${baseUrl}/api/llm/jobs/${id}`, {
          ...{ job_type: JOB_TYPE, model_id: MODEL, input_data: { prompt: promptOf(id) } },
          ...{ start_within: seconds(startWithinMs), timeout: seconds(timeoutMs) },
          ...{ attempt_timeout: seconds(attemptTimeoutMs), idle_timeout: seconds(idleTimeoutMs) },
          ...{ ...OWN, stream: isStreamed(id), store: !isFleeting(id) },
          background: isInBackground(id),
        }),
      remove: (id) => ask(signal, 'DELETE', `${baseUrl}/api/llm/jobs/${id}`, {}),
      redrive: async (id) => (await ask(signal, 'POST', `${baseUrl}/api/llm/jobs/${id}/retry/`, {})).job_id,
      read: (id) => ask(signal, 'GET', `${baseUrl}/api/llm/jobs/${id}/status/`),
      async cancel(id) {
        const view = await ask(signal, 'POST', `${baseUrl}/api/llm/jobs/${id}/cancel/`, {});
        return { state: view.status, cancelRequestedAt: view.cancel_requested_at };
      },
    };
  },

  async worker(handle) {
    const { baseUrl, signal, close } = await open((request) => respondToPush(request, handle));
    return {
      close,
      async deliver(body) {
        const response = await fetch(baseUrl, { method: 'POST', body: JSON.stringify(body), signal });
        return response.status === 204;
      },
    };
  },
};

/** A server of its own; what is under way when it closes is cut, as when its process dies. */
async function open(serve: Parameters<typeof listen>[0]) {
  const { baseUrl, close } = await listen(serve, { host: '127.0.0.1', port: 0 });
  const cut = new AbortController();
  return {
    baseUrl,
    signal: cut.signal,
    close() {
      cut.abort();
      void close();
    },
  };
}

async function ask(signal: AbortSignal, method: string, url: string, body?: unknown) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method, headers, body: JSON.stringify(body) ?? null, signal });
  // biome-ignore lint/suspicious/noExplicitAny: the view as it is on the wire
  const view = (await response.json()) as any;
  if (response.ok) return view;
  throw Object.assign(new Error(`${response.status} ${JSON.stringify(view)}`), { code: view.code });
}
