/** The public application on a store in memory, called without sockets. */
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { readConfig } from '../../shared/config.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { embeddedRuntime } from '../../shared/runtime-embedded.ts';

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests ask
export type Reply = { status: number; headers: Headers; body: any };
export type Call = { body?: string | Uint8Array<ArrayBuffer>; headers?: Record<string, string> };

export type TestApp = {
  app: HttpApp;
  /** Sends a request as it stands, with the Content-Length that a client over a socket would send. */
  send(method: string, path: string, call?: Call): Promise<Reply>;
  get(path: string, headers?: Record<string, string>): Promise<Reply>;
  /** Posts a value as JSON. */
  post(path: string, value: unknown, headers?: Record<string, string>): Promise<Reply>;
  /** Submits one prompt to the simulated model and answers the job's id. */
  submit(prompt: string): Promise<string>;
  /** Polls until the job has ended and answers its view. */
  poll(id: string): Promise<Reply['body']>;
  close(): Promise<void>;
};

const QUICK = { DATABASE_URL: ':memory:', SIMULATED_MS: '0', LOG_FORMAT: 'json' };
const PATIENCE_MS = 10_000;

export const SUBMIT = '/api/llm/jobs/submit/';
export const TRAINER = '/api/llm/trainer-analysis/';
export const LIST = '/api/llm/jobs/';
export const BATCH = '/api/llm/jobs/batch/';
export const MODELS = '/api/llm/models/';
export const statusOf = (id: string) => `/api/llm/jobs/${id}/status/`;
export const resultOf = (id: string) => `/api/llm/jobs/${id}/result/`;
export const streamOf = (id: string) => `/api/llm/jobs/${id}/stream/`;
export const cancelOf = (id: string) => `/api/llm/jobs/${id}/cancel/`;
export const retryOf = (id: string) => `/api/llm/jobs/${id}/retry/`;
export const deliveriesOf = (id: string) => `/api/llm/jobs/${id}/deliveries/`;
export const redeliverOf = (id: string) => `/api/llm/jobs/${id}/redeliver/`;
export const SECRETS = '/api/llm/webhooks/secrets/';
export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A submit body for one prompt. */
export function general(input_data: unknown, model_id: unknown = 'simulated') {
  return { job_type: 'general_llm_request', model_id, input_data };
}

/** Opens the application; `environment` adds settings. */
export async function openApp(environment: Record<string, string> = {}): Promise<TestApp> {
  const runtime = await embeddedRuntime(readConfig({ ...QUICK, ...environment }), undefined, { renderJob });
  const app = publicApp(runtime, EVERYTHING);
  runtime.start();

  const { send, get, post } = callsOf(app);

  return {
    app,
    send,
    get,
    post,
    async submit(prompt) {
      const { status, body } = await post(SUBMIT, general({ prompt }));
      if (status !== 202) throw new Error(`submit answered ${status} ${JSON.stringify(body)}`);
      return body.job_id;
    },
    async poll(id) {
      for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await pause(2)) {
        const { body } = await get(statusOf(id));
        if (body.is_complete) return body;
      }
      throw new Error(`job ${id} did not end`);
    },
    close: () => runtime.close(),
  };
}

/** Calls an application without sockets. */
export function callsOf(app: HttpApp): Pick<TestApp, 'send' | 'get' | 'post'> {
  async function send(method: string, path: string, { body, headers = {} }: Call = {}): Promise<Reply> {
    const length = body === undefined ? 0 : Buffer.byteLength(body);
    const sized: Record<string, string> = body === undefined ? {} : { 'Content-Length': String(length) };
    if (headers['Transfer-Encoding']) delete sized['Content-Length'];
    const response = await app.request(path, {
      method,
      headers: { ...sized, ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
  }

  const get: TestApp['get'] = (path, headers = {}) => send('GET', path, { headers });
  const post: TestApp['post'] = (path, value, headers = {}) =>
    send('POST', path, { body: JSON.stringify(value), headers: { 'Content-Type': 'application/json', ...headers } });
  return { send, get, post };
}
