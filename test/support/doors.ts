/** The application with every door open, on virtual time over a counted store, and somebody at each of them. */
import { randomBytes } from 'node:crypto';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { memoryRateLimiter } from '../../shared/adapters/memory-rate-limiter.ts';
import { sqliteApiKeyStore } from '../../shared/adapters/sqlite-api-key-store.ts';
import { openDatabase } from '../../shared/adapters/sqlite-database.ts';
import { readConfig } from '../../shared/config.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { LlmPart, LlmRequest } from '../../shared/core/llm.ts';
import { apiKeyAuthenticator, looksLikeApiKey, newApiKey } from '../../shared/http/api-keys.ts';
import { openDoors } from '../../shared/http/doors.ts';
import { noLimits, rateLimits } from '../../shared/http/limits.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { instanceOf } from '../../shared/llm/structured/instance.ts';
import type { Reply } from './app.ts';
import { answer, coreWorld, FINISH, NO_PROVIDERS } from './core-world.ts';
import { warmExtraction } from './extraction.ts';
import { AUDIENCE, type Claims, type Issuers, openIssuers, PROJECT, SECRET } from './issuers.ts';

export const TENANT = 'acme';
/** Whose jobs the others must not see. */
export const OWNER: Principal = { tenant: TENANT, user: 'firebase:ada', scopes: ['jobs:read', 'jobs:write'] };
const CSRF = 'a-csrf-value';

type Send = { headers?: Record<string, string>; body?: unknown; raw?: string };
export type DoorWorld = Awaited<ReturnType<typeof openDoorWorld>>;

/** `environment` adds settings; `isLimited`: with the limits that they name. */
export async function openDoorWorld(environment: Record<string, string> = {}, { isLimited = false } = {}) {
  await warmExtraction();
  const world = coreWorld(asAsked);
  const issuers = await openIssuers(world.clock);
  const config = readConfig({
    ...{ AUTH_MODE: 'firebase,session-cookie,oidc,api-key', FIREBASE_PROJECT: PROJECT, SIGNING_SECRETS: SECRET },
    ...{ OIDC_ISSUER: issuers.server.issuer, OIDC_AUDIENCE: AUDIENCE, TENANT_CLAIM: 'org', SCOPES_CLAIM: 'scope' },
    ...environment,
  });
  const database = openDatabase(':memory:');
  const store = sqliteApiKeyStore(database);
  const scopes = ['jobs:read', 'jobs:write'] as const;
  const reports = { name: 'reports', tenant: TENANT, scopes, createdAt: world.clock.nowMs() };
  const { key: apiKey, kept } = newApiKey({ ...reports, random: randomBytes });
  await store.create(kept);
  const verify = apiKeyAuthenticator({ store, clock: world.clock, log: world.log });
  const apiKeys = { looksLikeOne: looksLikeApiKey, verify };
  const doors = openDoors(config, { clock: world.clock, apiKeys, keysAt: issuers.keysAt });
  const { log, service, clock } = world;
  const limits =
    isLimited && config.rateLimits
      ? rateLimits({
          limiter: memoryRateLimiter({ clock }),
          clock,
          perMinute: config.rateLimits,
          trustedProxies: config.trustedProxies,
        })
      : noLimits;
  const models = modelCatalog({ ...NO_PROVIDERS, clock });
  const app = publicApp({ ...doors, service, models, limits, log, config }, EVERYTHING);

  async function send(method: string, path: string, { headers = {}, body, raw }: Send = {}): Promise<Reply> {
    const text = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const sized: Record<string, string> =
      text === undefined ? {} : { 'Content-Type': 'application/json', 'Content-Length': `${Buffer.byteLength(text)}` };
    const init = { method, headers: { ...sized, ...headers }, ...(text === undefined ? {} : { body: text }) };
    const asked = Promise.resolve(app.request(path, init));
    // A stream listens, and looks again now and then; and one endpoint waits for the end of its job.
    const response = await (/\/stream\b|generate-prompt\/?$/.test(path) ? clock.until(asked) : asked);
    const isEndless = response.ok && path.startsWith('/api/llm/jobs/stream');
    const answer = await clock.until(isEndless ? firstEvent(response) : response.text());
    const isJson = /json/.test(response.headers.get('content-type') ?? '') && answer !== '';
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(answer) : answer };
  }

  return {
    ...world,
    world,
    app,
    config,
    doors,
    issuers,
    /** Of the service `reports`. */
    apiKey,
    send,
    /** What a refused request leaves as it was: what is stored of whom, in which version, and who was told. */
    async changes() {
      const lists = [TENANT, 'umbrella', 'default'].map((tenant) =>
        world.store.list({ tenant, limit: 10_000, offset: 0 }),
      );
      const stored = (await Promise.all(lists)).flat().map(({ job }) => `${job.tenant} ${job.id} ${job.version}`);
      return { stored, updates: world.store.calls('update'), published: world.published.length };
    },
    close: async () => {
      world.close();
      database.close();
      await issuers.close();
    },
  };
}

/** What a stream begins with that has no end. */
async function firstEvent({ body }: Response): Promise<string> {
  let text = '';
  for await (const bytes of body ?? []) {
    text += new TextDecoder().decode(bytes);
    if (/data: .*\n\n/.test(text)) break;
  }
  return text;
}

/** An answer of the shape that is asked for, where one is. */
async function* asAsked({ responseSchema }: LlmRequest): AsyncIterable<LlmPart> {
  if (!responseSchema) return yield* answer();
  yield { type: 'accepted' };
  yield { type: 'text-delta', text: JSON.stringify((await instanceOf(responseSchema.schema)).value) };
  yield FINISH;
}

export const bearer = (token: string): Record<string, string> => ({ Authorization: `Bearer ${token}` });

/** The headers of a session cookie, with the pair that writing takes. */
export const cookies = (session: string, { csrf = true } = {}): Record<string, string> => ({
  Cookie: `__session=${session}${csrf ? `; csrftoken=${CSRF}` : ''}`,
  ...(csrf ? { 'X-CSRFToken': CSRF } : {}),
});

/** Somebody at the Firebase door. */
export const asUser = async (issuers: Issuers, claims: Claims = {}) =>
  bearer(await issuers.token('firebase', { org: TENANT, ...claims }));
