/** Settings that cannot both be meant, and what a wrong one says about where to set it. */
import { describe, expect, test } from 'vitest';
import environment from '../../infra/environment.json' with { type: 'json' };
import { ConfigError, readConfig, SETTINGS } from '../../shared/config.ts';
import { LOCAL_VARIABLES, MADE_VARIABLES, SECRET_VARIABLES } from '../../shared/config-places.ts';
import { logUnavailable } from '../../shared/runtime-models.ts';
import { virtualClock } from '../support/virtual-clock.ts';

const CLOUD = { K_SERVICE: 'submit', AUTH_MODE: 'firebase', INVOKERS: 'iam', GOOGLE_CLOUD_PROJECT: 'p' };

/** What a start with these settings says, line by line. */
function linesOf(environment: Record<string, string>): string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message.split('\n');
  }
}

describe('two settings that cannot both be meant', () => {
  test.each<[Record<string, string>, string, string]>([
    [{ ...CLOUD, ALLOW_NO_AUTH: 'true' }, 'ALLOW_NO_AUTH', 'AUTH_MODE=firebase'],
    [{ AUTH_MODE: 'api-key', ALLOW_NO_AUTH: 'true' }, 'ALLOW_NO_AUTH', 'AUTH_MODE=api-key'],
    [{ ...CLOUD, INVOKER_AUDIENCES: 'https://a.example' }, 'INVOKER_AUDIENCES', 'INVOKERS=iam'],
    [{ INVOKER_AUDIENCES: 'https://a.example' }, 'INVOKER_AUDIENCES', 'without INVOKERS'],
    [{ ...CLOUD, WEBHOOK_HOSTS: 'a.example' }, 'WEBHOOK_HOSTS', 'without WEBHOOK_SECRETS'],
    [{ AUTH_MODE: 'api-key', WEBHOOK_HOSTS: 'a.example' }, 'WEBHOOK_HOSTS', 'without WEBHOOK_SECRETS'],
    [{ JOBS_TOPIC: 'one', SUBMISSIONS_TOPIC: 'one' }, 'SUBMISSIONS_TOPIC', 'must not be JOBS_TOPIC, one'],
    [
      { ...CLOUD, FUNCTION_TARGET: 'api', CLOUD_RUN_TIMEOUT_SECONDS: '600' },
      'STREAM_MS',
      'less than the 600 seconds that this function may run',
    ],
    [{ CONSOLE: 'true', SURFACES: 'streaming-jobs' }, 'CONSOLE', 'SURFACES=streaming-jobs'],
    [{ ...CLOUD, CONSOLE: 'true', SURFACES: 'prompt-generation' }, 'CONSOLE', 'SURFACES=prompt-generation'],
    [{ ...CLOUD, DATABASE_URL: 'jobs.db' }, 'DATABASE_URL', 'K_SERVICE'],
    [{ ...CLOUD, FIRESTORE_EMULATOR_HOST: 'localhost:8081' }, 'FIRESTORE_EMULATOR_HOST', 'K_SERVICE'],
    [{ ...CLOUD, PUBSUB_EMULATOR_HOST: 'localhost:8085' }, 'PUBSUB_EMULATOR_HOST', 'K_SERVICE'],
  ])('%o', (environment, variable, other) => {
    const [, line = '', ...more] = linesOf(environment);
    expect(line.startsWith(`  ${variable} must`)).toBe(true);
    expect(line).toContain(other);
    expect(more).toEqual([]);
  });

  test.each<Record<string, string>>([
    { ...CLOUD, AUTH_MODE: 'none', ALLOW_NO_AUTH: 'true' },
    { WEBHOOK_HOSTS: 'a.example' },
    { ...CLOUD, FUNCTION_TARGET: 'api', CLOUD_RUN_TIMEOUT_SECONDS: '601' },
    { ...CLOUD, FUNCTION_TARGET: 'worker', CLOUD_RUN_TIMEOUT_SECONDS: '600' },
    { CREDITS: 'on', AUTH_MODE: 'none' },
    { INVOKERS: 'a@b.example' },
    { SURFACES: 'streaming-jobs' },
    { ...CLOUD, CONSOLE: 'true' },
    { CONSOLE: 'true', SURFACES: 'streaming-jobs, llm-jobs' },
  ])('while %o is right', (environment) => {
    expect(linesOf(environment)).toEqual([]);
  });

  test('on Cloud Run, which kills ten seconds after SIGTERM, a longer drain is wrong', () => {
    expect(linesOf({ ...CLOUD, DRAIN_MS: '10000' })[1]).toContain('DRAIN_MS must be a whole number from 0 to 9500');
    expect(linesOf({ DRAIN_MS: '10000' })).toEqual([]);
  });
});

describe('the message', () => {
  test('has all that is wrong, a line each, a contradiction among them', () => {
    expect(linesOf({ PORT: 'x', LEASE_MS: 'y', INVOKER_AUDIENCES: 'a' })).toEqual([
      'Settings are wrong; set them in `.env` or in the environment:',
      '  PORT must be a whole number from 0 to 65535',
      '  LEASE_MS must be a whole number from 500 to 600000',
      '  INVOKER_AUDIENCES must not be set without INVOKERS: nobody is asked for a token then',
    ]);
  });

  test('says on Google Cloud where each is set', () => {
    const wrong = { K_SERVICE: 'worker', SIGNING_SECRETS: 'short', DATABASE_URL: 'x.db', LEASE_MS: '1' };
    expect(linesOf(wrong)).toEqual([
      'Settings are wrong:',
      expect.stringMatching(/^ {2}AUTH_MODE must be set here; .* \(under `settings` in terraform\.tfvars\)$/),
      expect.stringMatching(
        /^ {2}SIGNING_SECRETS .* \(a version of its secret, named under `secrets` in terraform\.tfvars\)$/,
      ),
      expect.stringMatching(/^ {2}INVOKERS must name .* \(made by infra\/iam\.tf: deploy again\)$/),
      expect.stringMatching(/^ {2}INVOKER_AUDIENCES must name .* \(made by infra\/iam\.tf: deploy again\)$/),
      expect.stringMatching(/^ {2}LEASE_MS .* \(under `settings` in terraform\.tfvars\)$/),
      expect.stringMatching(/^ {2}GOOGLE_CLOUD_PROJECT .* \(made by infra\/functions\.tf: deploy again\)$/),
      expect.stringMatching(/^ {2}DATABASE_URL .* \(of one machine: leave it out here\)$/),
    ]);
  });

  test('knows places of settings that there are, one each', () => {
    const placed = [...SECRET_VARIABLES, ...Object.keys(MADE_VARIABLES), ...LOCAL_VARIABLES];
    const known = Object.values(SETTINGS).map(({ variable }) => variable as string);
    expect(placed.filter((variable) => !known.includes(variable))).toEqual([]);
    expect(new Set(placed).size).toBe(placed.length);
  });

  test.each<[string, readonly string[], (row: { from?: string; not?: string }) => boolean]>([
    ['kept in Secret Manager', SECRET_VARIABLES, ({ from }) => from === 'secret'],
    ['made by Terraform', Object.keys(MADE_VARIABLES), ({ from }) => from === 'resource'],
    ['set nowhere there', LOCAL_VARIABLES, ({ from }) => from === undefined],
  ])('says of those that are %s what the deployment does with them', (_, placed, isOne) => {
    const rows = Object.entries<{ from?: string; not?: string }>(environment).filter(([, row]) => isOne(row));
    expect([...placed].sort()).toEqual(rows.map(([variable]) => variable).sort());
  });
});

describe('models that cannot be used', () => {
  const logged = (environment: Record<string, string>) => {
    const lines: unknown[][] = [];
    const config = readConfig({ ...CLOUD, ...environment });
    logUnavailable(
      (...line) => void lines.push(line),
      { ...config, clock: virtualClock() },
      config.configuredProviders,
    );
    return lines;
  };

  test('without a key all providers are named, with the settings that they want, in one warning', () => {
    const providers = 'openai,gemini,anthropic,vertex';
    const settings = 'OPENAI_API_KEY,GEMINI_API_KEY,ANTHROPIC_API_KEY,VERTEX_PROJECT';
    expect(logged({})).toEqual([['warning', 'models-unavailable', { providers, settings }]]);
  });

  test('with one, the others are told of, not warned of; and what others hold the keys of counts as a key', () => {
    const [providers, settings] = ['gemini,anthropic,vertex', 'GEMINI_API_KEY,ANTHROPIC_API_KEY,VERTEX_PROJECT'];
    expect(logged({ OPENAI_API_KEY: 'k' })).toEqual([['info', 'models-unavailable', { providers, settings }]]);
    expect(logged({ CONFIGURED_PROVIDERS: 'openai' })).toEqual([
      ['info', 'models-unavailable', { providers, settings }],
    ]);
  });

  test('where none is missing, nothing is said', () => {
    expect(logged({ CONFIGURED_PROVIDERS: 'openai,gemini,anthropic,vertex' })).toEqual([]);
  });
});
