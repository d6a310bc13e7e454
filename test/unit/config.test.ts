/** The settings: each row, and what a wrong one says. */
import { describe, expect, test } from 'vitest';
import { ConfigError, readConfig } from '../../shared/config.ts';

const secretOf = (bytes: number) => `whsec_${Buffer.alloc(bytes, 7).toString('base64')}`;
const [NEW_SECRET, OLD_SECRET] = [secretOf(24), secretOf(64)];
const CLOUD = { K_SERVICE: 'submit', AUTH_MODE: 'firebase', INVOKERS: 'iam', GOOGLE_CLOUD_PROJECT: 'p' };

describe('a setting', () => {
  test.each([
    [
      'absent: its default',
      {},
      { port: 8080, databaseUrl: 'jobs.db', authModes: [], logFormat: 'text', wakeShards: 1 },
    ],
    ['empty: as if absent', { PORT: '', OPENAI_API_KEY: '' }, { port: 8080, openaiApiKey: undefined }],
    [
      'given: itself',
      { PORT: '0', LEASE_MS: '2000', LOG_FORMAT: 'json' },
      { port: 0, leaseMs: 2000, logFormat: 'json' },
    ],
    [
      'a list',
      { CORS_ORIGINS: 'https://a.example, https://b.example,' },
      { corsOrigins: ['https://a.example', 'https://b.example'] },
    ],
    ['that says more to the world where nobody asked for it: not on Google Cloud', CLOUD, { console: false }],
    ['that was asked for there', { ...CLOUD, CONSOLE: 'true' }, { console: true }],
    ['a Redis', { REDIS_URL: 'rediss://user:pass@host:6380/1' }, { redisUrl: 'rediss://user:pass@host:6380/1' }],
    [
      'pairs',
      { MODEL_ALIASES: 'gemini-pro=gemini-2.5-flash' },
      { modelAliases: new Map([['gemini-pro', 'gemini-2.5-flash']]) },
    ],
    ['empty, of who may come in: nobody is asked, nobody limited', { AUTH_MODE: '' }, { rateLimits: undefined }],
    [
      'none, but what Cloud Run calls it: its service and revision',
      { ...CLOUD, K_REVISION: 'submit-00007' },
      { service: { service: 'submit', version: 'submit-00007' } },
    ],
    ['none, elsewhere', { K_REVISION: 'submit-00007' }, { service: undefined }],
    [
      'of invokers, each with its audience',
      { ...CLOUD, INVOKERS: 'a@b.example', INVOKER_AUDIENCES: 'https://worker.example' },
      { invokers: ['a@b.example'], invokerAudiences: ['https://worker.example'] },
    ],
    [
      'limits',
      { MAX_RUNNING: '*=20, meta/llama=3,acme/*=1, a=b=2 ,' },
      {
        maxRunning: new Map([
          ['*', 20],
          ['meta/llama', 3],
          ['acme/*', 1],
          ['a=b', 2],
        ]),
      },
    ],
    ['no limits', {}, { maxRunning: new Map(), requestsPerMinute: new Map(), tokensPerMinute: new Map() }],
    [
      'limits of what a minute takes',
      { REQUESTS_PER_MINUTE: 'gpt-4o=1, meta/llama=60,', TOKENS_PER_MINUTE: 'openai/gpt-4o=30000' },
      {
        requestsPerMinute: new Map([
          ['gpt-4o', 1],
          ['meta/llama', 60],
        ]),
        tokensPerMinute: new Map([['openai/gpt-4o', 30_000]]),
      },
    ],
    [
      'webhooks: locally to everywhere, signed with a secret that everybody knows; no events',
      {},
      {
        webhookSecrets: [expect.stringMatching(/^whsec_/)],
        webhookHosts: [],
        allowPrivateWebhooks: true,
        eventsTopic: undefined,
      },
    ],
    [
      'webhooks on Google Cloud: none without secrets, and never to private addresses',
      CLOUD,
      { webhookSecrets: [], allowPrivateWebhooks: false },
    ],
    [
      'what goes out, given',
      {
        ...{ ...CLOUD, WEBHOOK_SECRETS: ` ${NEW_SECRET},${OLD_SECRET}, `, ALLOW_PRIVATE_WEBHOOKS: 'false' },
        ...{ WEBHOOK_HOSTS: 'Hooks.Example.com, *.acme.example', EVENTS_TOPIC: 'llm-jobs-events' },
      },
      {
        ...{ webhookSecrets: [NEW_SECRET, OLD_SECRET], allowPrivateWebhooks: false },
        ...{ webhookHosts: ['hooks.example.com', '*.acme.example'], eventsTopic: 'llm-jobs-events' },
      },
    ],
    ['private addresses refused locally, too', { ALLOW_PRIVATE_WEBHOOKS: 'false' }, { allowPrivateWebhooks: false }],
    ['on Google Cloud: that default', CLOUD, { logFormat: 'json', wakeShards: 16, projectId: 'p' }],
  ])('%s', (_, environment, expected) => {
    expect(readConfig(environment as Record<string, string>)).toMatchObject(expected);
  });
});

describe('a wrong setting stops the start', () => {
  test.each([
    [{ PORT: 'abc' }, 'PORT must be a whole number from 0 to 65535'],
    [{ PORT: '70000' }, 'PORT must be a whole number from 0 to 65535'],
    [{ LEASE_MS: '1' }, 'LEASE_MS must be a whole number from 500 to 600000'],
    [{ LOG_FORMAT: 'xml' }, 'LOG_FORMAT is unknown; known values: text, json'],
    [{ WAKE_SHARDS: '31' }, 'WAKE_SHARDS must be a whole number from 1 to 30'],
    [{ REDIS_URL: 'localhost:6379' }, 'REDIS_URL must be a URL: redis://host:6379'],
    [{ REDIS_URL: 'redis://a b' }, 'REDIS_URL must be a URL: redis://host:6379'],
    [{ MODEL_ALIASES: 'gemini-pro' }, 'MODEL_ALIASES must be pairs'],
    [{ MAX_RUNNING: '20' }, 'MAX_RUNNING must be pairs of a model, or `*` for all, and a whole number from 1 to 10000'],
    [{ MAX_RUNNING: '*=0' }, '`*=0` is none'],
    [{ MAX_RUNNING: '*=10001' }, '`*=10001` is none'],
    [{ MAX_RUNNING: '*=2.5' }, '`*=2.5` is none'],
    [{ MAX_RUNNING: '*=2,gpt-4o=-1' }, '`gpt-4o=-1` is none'],
    [{ MAX_RUNNING: '/gpt-4o=1' }, '`/gpt-4o=1` is none'],
    [{ MAX_RUNNING: 'acme/=1' }, '`acme/=1` is none'],
    [{ MAX_RUNNING: '*=2,*=3' }, 'MAX_RUNNING must name each model, or `*`, once'],
    [{ REQUESTS_PER_MINUTE: '60' }, 'REQUESTS_PER_MINUTE must be pairs of a model, or `provider/model`, and a whole'],
    [{ REQUESTS_PER_MINUTE: 'gpt-4o=0' }, 'a whole number from 1 to 1000000, separated by commas; `gpt-4o=0` is none'],
    [{ REQUESTS_PER_MINUTE: '*=60' }, '`*=60` is none'],
    [{ REQUESTS_PER_MINUTE: 'openai/=60' }, '`openai/=60` is none'],
    [{ TOKENS_PER_MINUTE: 'gpt-4o=99' }, 'a whole number from 100 to 1000000000'],
    [{ TOKENS_PER_MINUTE: 'gpt-4o=1e5' }, '`gpt-4o=1e5` is none'],
    [{ TOKENS_PER_MINUTE: 'gpt-4o=100,gpt-4o=200' }, 'TOKENS_PER_MINUTE must name each model once'],
    [{ ...CLOUD, AUTH_MODE: '' }, 'AUTH_MODE must be set here; known values: none, firebase'],
    [{ ...CLOUD, GOOGLE_CLOUD_PROJECT: '' }, 'GOOGLE_CLOUD_PROJECT must name the project'],
    [{ ...CLOUD, AUTH_MODE: 'none' }, 'ALLOW_NO_AUTH must be true, if AUTH_MODE=none is really meant'],
    [{ ...CLOUD, AUTH_MODE: 'none,' }, 'ALLOW_NO_AUTH must be true, if AUTH_MODE=none is really meant'],
    [{ ...CLOUD, AUTH_MODE: ' , ' }, 'AUTH_MODE must be set here'],
    [{ AUTH_MODE: 'none,firebase' }, 'AUTH_MODE must not have `none` beside others'],
    [{ AUTH_MODE: 'oidc' }, 'OIDC_ISSUER must be set: AUTH_MODE names `oidc`'],
    [{ AUTH_MODE: 'oidc', OIDC_ISSUER: 'accounts.example', OIDC_AUDIENCE: 'a' }, 'OIDC_ISSUER must be a URL: https:'],
    [{ OIDC_JWKS_URL: 'keys.json' }, 'OIDC_JWKS_URL must be a URL: https://… or http://…'],
    [{ ...CLOUD, OIDC_JWKS_URL: 'http://keys.example/' }, 'OIDC_JWKS_URL must be a URL: https://…'],
    [{ ...CLOUD, INVOKERS: '' }, 'INVOKERS must name the service accounts'],
    [{ ...CLOUD, INVOKERS: ' , ' }, 'INVOKERS must name the service accounts'],
    [{ ...CLOUD, INVOKERS: 'iam,a@b.example' }, 'INVOKERS must not have `iam` beside others'],
    [{ ...CLOUD, INVOKERS: 'a@b.example' }, 'INVOKER_AUDIENCES must name what the tokens of INVOKERS are for'],
    [{ ...CLOUD, FIREBASE_AUTH_EMULATOR_HOST: 'localhost:9099' }, 'FIREBASE_AUTH_EMULATOR_HOST must not be set on'],
    [{ NODE_ENV: 'production', FIREBASE_AUTH_EMULATOR_HOST: 'localhost:9099' }, 'anybody can make tokens'],
    [{ VERTEX_LOCATION: 'evil.example/' }, 'VERTEX_LOCATION must be a region such as `europe-west1`, or `global`'],
    [{ SIGNING_SECRETS: 'too-short' }, 'SIGNING_SECRETS must be of 32 characters or more each'],
    [{ RATE_LIMITS: 'writes=60,writes=70' }, 'RATE_LIMITS names writes twice'],
    [{ CORS_ORIGINS: '*' }, 'CORS_ORIGINS must hold origins like https://app.example.com'],
    [{ CORS_ORIGINS: 'https://a.example/' }, 'not https://a.example/'],
    [{ CORS_ORIGINS: 'a.example' }, 'not a.example'],
    [
      { WEBHOOK_SECRETS: ',' },
      'WEBHOOK_SECRETS must be one or two secrets, each `whsec_` and 24 to 64 bytes in base64',
    ],
    [{ WEBHOOK_SECRETS: 'hunter2' }, 'WEBHOOK_SECRETS must be one or two secrets'],
    [{ WEBHOOK_SECRETS: secretOf(32).slice('whsec_'.length) }, 'WEBHOOK_SECRETS must be one or two secrets'],
    [{ WEBHOOK_SECRETS: secretOf(23) }, 'WEBHOOK_SECRETS must be one or two secrets'],
    [{ WEBHOOK_SECRETS: secretOf(65) }, 'WEBHOOK_SECRETS must be one or two secrets'],
    [{ WEBHOOK_SECRETS: `${secretOf(32)}!` }, 'WEBHOOK_SECRETS must be one or two secrets'],
    [{ WEBHOOK_SECRETS: Array(3).fill(NEW_SECRET).join(',') }, 'WEBHOOK_SECRETS must be one or two secrets'],
    [{ WEBHOOK_HOSTS: 'https://a.example' }, 'names of hosts, without scheme, port or path, not https://a.example'],
    [{ WEBHOOK_HOSTS: 'a.example,b.example:8443' }, 'port or path, not b.example:8443'],
    [{ WEBHOOK_HOSTS: 'a.example/hooks' }, 'port or path, not a.example/hooks'],
    [{ WEBHOOK_HOSTS: '*' }, 'port or path, not *'],
    [{ WEBHOOK_HOSTS: 'a.*.example' }, 'port or path, not a.*.example'],
    [{ ALLOW_PRIVATE_WEBHOOKS: 'yes' }, 'ALLOW_PRIVATE_WEBHOOKS must be true or false'],
    [{ ...CLOUD, ALLOW_PRIVATE_WEBHOOKS: 'true' }, 'ALLOW_PRIVATE_WEBHOOKS must not be true on Google Cloud'],
    [{ EVENTS_TOPIC: 'llm-jobs' }, 'EVENTS_TOPIC must be a topic of its own'],
    [{ EVENTS_TOPIC: 'llm-jobs-submissions' }, 'EVENTS_TOPIC must be a topic of its own'],
    [{ EVENTS_TOPIC: 'all', JOBS_TOPIC: 'all' }, 'EVENTS_TOPIC must be a topic of its own'],
    [{ EVENTS_TOPIC: 'projects/p/topics/llm-jobs-submissions' }, 'EVENTS_TOPIC must be a topic of its own'],
    [{ EVENTS_TOPIC: 'all', SUBMISSIONS_TOPIC: 'projects/p/topics/all' }, 'EVENTS_TOPIC must be a topic of its own'],
    [{ EVENTS_TOPIC: 'llm-jobs-submissions-dead-letters' }, 'EVENTS_TOPIC must be a topic of its own'],
    [{ RATE_LIMITS: 'job-reads=60' }, 'RATE_LIMITS must leave job-reads at 120 or more'],
  ])('%o', (environment, sentence) => {
    expect(() => readConfig(environment)).toThrow(ConfigError);
    expect(() => readConfig(environment)).toThrow(sentence);
  });

  test('and all wrong ones are named in one message', () => {
    expect(() => readConfig({ PORT: 'x', LEASE_MS: 'y' })).toThrow(/PORT .*\n.*LEASE_MS /);
  });
});
