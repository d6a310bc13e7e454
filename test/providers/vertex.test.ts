/**
 * Vertex AI's access tokens, by Google's own library from a real token server: of a federated identity, whose signed token
 * is really checked, and of the metadata server, as on Google Cloud.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { collect } from '../../shared/core/answers.ts';
import type { LlmProvider } from '../../shared/core/llm.ts';
import { providerLoader } from '../../shared/llm/provider-loader.ts';
import { googleToken } from '../../shared/llm/providers/google-token.ts';
import { vertexProvider, vertexUrl } from '../../shared/llm/providers/vertex.ts';
import { NO_PROVIDERS } from '../support/core-world.ts';
import { PLAIN } from '../support/llm-requests.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';
import { startTokenServer, type Script as TokenScript, type TokenServer } from '../support/token-server.ts';
import { virtualClock } from '../support/virtual-clock.ts';
import { PROTOCOLS, type Protocol } from './protocols.ts';

const TOKEN = 'zq.vertex-token.0123456789';
const AUDIENCE = '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q';
const protocol = PROTOCOLS.find(({ name }) => name === 'vertex') as Protocol;

let server: ScriptedProvider;
let tokens: TokenServer;
const folder = mkdtempSync(join(tmpdir(), 'vertex-'));
beforeAll(async () => {
  server = await startScriptedProvider();
  tokens = await startTokenServer();
});
beforeEach(() => {
  server.answerWith(async ({ stream, write, response }) => {
    stream();
    await write(protocol.opening + protocol.delta('Hi') + protocol.ending);
    response.end();
  });
  // Whoever runs the tests may have credentials.
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined);
  vi.stubEnv('HOME', folder);
  vi.stubEnv('CLOUDSDK_CONFIG', folder);
  vi.stubEnv('METADATA_SERVER_DETECTION', 'none');
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.requests.length = 0;
  tokens.requests.length = 0;
});
afterAll(async () => {
  await Promise.all([server.stop(), tokens.stop()]);
  rmSync(folder, { recursive: true });
});

const provider = () => vertexProvider({ project: 'p', location: 'global', baseUrl: `${server.url}/v1` });
const answerOf = (vertex: LlmProvider, signal: AbortSignal = new AbortController().signal) =>
  collect(vertex.generate(PLAIN, { signal }), { facts: {}, text: '' });

const granting: TokenScript = (_, { json }) =>
  json(200, {
    ...{ access_token: TOKEN, token_type: 'Bearer', expires_in: 3_600 },
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  });

/** Application Default Credentials of a federated identity, whose token is signed with a key of its own. */
async function federated(): Promise<CryptoKey> {
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const subject = await new SignJWT({ sub: 'worker' })
    .setProtectedHeader({ alg: 'RS256' })
    .setAudience(AUDIENCE)
    .setExpirationTime('5m')
    .sign(privateKey);
  writeFileSync(join(folder, 'subject'), subject);
  const credentials = {
    ...{ type: 'external_account', audience: AUDIENCE, token_url: `${tokens.url}/v1/token` },
    subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    credential_source: { file: join(folder, 'subject') },
  };
  writeFileSync(join(folder, 'credentials.json'), JSON.stringify(credentials));
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'credentials.json'));
  return publicKey;
}

describe('a token', () => {
  test('of a federated identity is asked for before the first call, and kept for the next ones', async () => {
    const publicKey = await federated();
    tokens.answerWith(granting);
    const vertex = provider();
    expect(await answerOf(vertex)).toMatchObject({ text: 'Hi', finishReason: 'stop' });
    expect(await answerOf(vertex)).toMatchObject({ text: 'Hi' });
    expect(server.requests.map(({ headers, path }) => [headers.authorization, path])).toEqual([
      [`Bearer ${TOKEN}`, '/v1/chat/completions'],
      [`Bearer ${TOKEN}`, '/v1/chat/completions'],
    ]);
    expect(tokens.requests).toHaveLength(1);
    const asked = new URLSearchParams(tokens.requests[0]?.body);
    expect(asked.get('scope')).toBe('https://www.googleapis.com/auth/cloud-platform');
    const { payload } = await jwtVerify(asked.get('subject_token') ?? '', publicKey, { audience: AUDIENCE });
    expect(payload.sub).toBe('worker');
  });

  test('of the metadata server, as the product loads it', async () => {
    vi.stubEnv('METADATA_SERVER_DETECTION', 'assume-present');
    vi.stubEnv('GCE_METADATA_HOST', new URL(tokens.url).host);
    tokens.answerWith(granting);
    const settings = { ...NO_PROVIDERS, clock: virtualClock(), vertexProject: 'p', vertexBaseUrl: `${server.url}/v1` };
    const vertex = await providerLoader(settings)('vertex');
    expect(await answerOf(vertex)).toMatchObject({ text: 'Hi' });
    expect(server.requests[0]?.headers.authorization).toBe(`Bearer ${TOKEN}`);
    expect(tokens.requests.map(({ path }) => path.split('?')[0])).toEqual([
      '/computeMetadata/v1/instance/service-accounts/default/token',
    ]);
  });

  test('is not told to anybody', async () => {
    await federated();
    tokens.answerWith(granting);
    server.answerWith(({ json }) =>
      json(400, protocol.errorBody(`no: ${TOKEN}`, 'INVALID_ARGUMENT'), { 'x-request-id': TOKEN }),
    );
    const error: unknown = await answerOf(provider()).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'invalid_request', provider: { status: 400, requestId: '***' } });
    expect((error as Error).message).not.toContain(TOKEN);
    expect((error as Error).message).toContain('no: ***');
  });
});

describe('without a token nothing is sent', () => {
  test('no credentials at all, and soon', async () => {
    const startedAt = performance.now();
    await expect(answerOf(provider())).rejects.toMatchObject({
      code: 'auth',
      message: 'Google Cloud gives us no access token: set up Application Default Credentials where the worker runs.',
    });
    // The library's own search takes seconds where it waits for a metadata server that is not there.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    expect(server.requests).toEqual([]);
  });

  test('credentials that are not there, or are none', async () => {
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'nothing.json'));
    await expect(answerOf(provider())).rejects.toMatchObject({ code: 'auth' });
    writeFileSync(join(folder, 'broken.json'), '{"type":');
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'broken.json'));
    await expect(answerOf(provider())).rejects.toMatchObject({ code: 'auth' });
    expect(server.requests).toEqual([]);
  });

  test.each<[string, TokenScript, string]>([
    ['refuses them', (_, { json }) => json(400, { error: 'invalid_grant', error_description: 'expired' }), 'auth'],
    ['forbids them', (_, { json }) => json(403, { error: 'access_denied', error_description: 'no' }), 'auth'],
    ['is out of order', (_, { json }) => json(503, {}), 'overloaded'],
    ['cuts the connection', (_, { cut }) => cut(), 'network'],
  ])('a token server that %s', async (_, script, code) => {
    await federated();
    tokens.answerWith(script);
    await expect(answerOf(provider())).rejects.toMatchObject({ code });
    expect(server.requests).toEqual([]);
  });

  test('a token server that never answers is waited for only so long', async () => {
    await federated();
    tokens.answerWith(() => {});
    await expect(googleToken({ project: 'p', waitMs: 200 })()).rejects.toMatchObject({ code: 'timeout' });
  });

  test('a call that is aborted meanwhile ends at once, with the reason', async () => {
    await federated();
    tokens.answerWith(() => {});
    const abort = new AbortController();
    const reason = new Error('too late');
    const answer = answerOf(provider(), abort.signal);
    setTimeout(() => abort.abort(reason), 100);
    await expect(answer).rejects.toBe(reason);
    expect(server.requests).toEqual([]);
  });
});

test.each([
  ['global', 'https://aiplatform.googleapis.com/v1/projects/p/locations/global/endpoints/openapi'],
  [
    'europe-west1',
    'https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/endpoints/openapi',
  ],
])('the models in %s are at %s', (location, url) => {
  expect(vertexUrl({ project: 'p', location })).toBe(url);
});
