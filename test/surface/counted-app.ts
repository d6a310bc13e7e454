/** The public application over a counted store and queue, to show that a refused request changes nothing. */
import { expect } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { readConfig } from '../../shared/config.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { noLimits } from '../../shared/http/limits.ts';
import { EVERYTHING, type RequestKind } from '../../shared/http/request-kind.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import type { Runtime } from '../../shared/runtime.ts';
import { ADA, type CoreWorld, NO_PROVIDERS } from '../support/core-world.ts';

export const JSON_TYPE = { 'Content-Type': 'application/json' };
export const PROMPT = { prompt: 'Hello.' };

/** The application of a deployment that serves these kinds of requests. */
export function appOver(world: CoreWorld, over: Partial<Runtime> = {}, kinds: readonly RequestKind[] = EVERYTHING) {
  const { log, service, clock } = world;
  const models = modelCatalog({ ...NO_PROVIDERS, clock });
  // All that the application asks of a runtime.
  const runtime: Partial<Runtime> = {
    config: readConfig({}),
    log,
    service,
    models,
    authenticate: alwaysAs(ADA),
    limits: noLimits,
  };
  return publicApp({ ...runtime, ...over } as Runtime, kinds);
}

// biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests ask
export type Refusal = { status: number; headers: Headers; body: any };
export type Refuse = (
  method: string,
  path: string,
  body?: string,
  headers?: Record<string, string>,
) => Promise<Refusal>;

/** Sends requests that must change nothing, and answers how each was refused. */
export function refuser(world: CoreWorld): Refuse {
  const app = appOver(world);
  const changes = () => [world.store.calls('create'), world.store.calls('update'), world.published.length];
  return async (method, path, body, headers = JSON_TYPE) => {
    const before = changes();
    const length = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const init = body === undefined ? { method } : { method, body, headers: { ...length, ...headers } };
    const response = await app.request(path, init);
    expect(changes()).toEqual(before);
    return { status: response.status, headers: response.headers, body: JSON.parse(await response.text()) };
  };
}
