/** Terraform is held to the code, and each rule finds what it is there for. */
import { describe, expect, test } from 'vitest';
import { FUNCTIONS } from '../../infra/bundle.ts';
import { readConfig } from '../../shared/config.ts';
import { providerEntries } from '../../shared/llm/provider-registry.ts';
import { PAGE_SETTINGS } from '../../shared/runtime-pages.ts';
import { everyRule } from '../support/infra-every-rule.ts';
import { type Block, type Infra, inner, readInfra, resources } from '../support/infra-terraform.ts';

const WITH_JOBS = FUNCTIONS.filter((name) => name !== 'console');
const SECRETS: Record<string, string> = {
  SIGNING_SECRETS: 's'.repeat(32),
  WEBHOOK_SECRETS: `whsec_${'A'.repeat(32)}`,
  REDIS_URL: 'rediss://redis.example:6379',
};

/** What a function's process finds in its environment, as functions.tf puts it together. */
function environmentOf({ environment, functions }: Infra, name: string, hasSecrets: boolean): Record<string, string> {
  const facts = functions[name];
  const made: Record<string, string> = {
    audience: `https://llm-jobs-${name}-1.us-central1.run.app`,
    concurrency: String(facts?.concurrency),
    configured_providers: 'openai',
    console: 'true',
    database: '(default)',
    events_topic: 'llm-jobs-events',
    invokers: facts?.caller === 'public' ? 'iam' : `llm-jobs-${facts?.caller}@p.iam.gserviceaccount.com`,
    jobs_topic: 'llm-jobs',
    project: 'p',
    submissions_topic: 'llm-jobs-submissions',
    trusted_proxies: '1',
  };
  const given = Object.entries(environment).flatMap(([variable, row]) => {
    if (!row.functions?.includes(name)) return [];
    const secret = hasSecrets ? (SECRETS[variable] ?? 'key') : undefined;
    const value = { resource: made[row.resource ?? ''], setting: row.default, secret }[row.from ?? 'setting'];
    return value === undefined ? [] : [[variable, value]];
  });
  return { K_SERVICE: `llm-jobs-${name}`, ...Object.fromEntries(given) };
}

describe('the infrastructure', () => {
  test('keeps every rule', async () => {
    expect(everyRule(await readInfra())).toEqual([]);
  });

  test('has the functions that are bundled, with a reason for each number', async () => {
    const { functions } = await readInfra();
    expect(Object.keys(functions).sort()).toEqual([...FUNCTIONS].sort());
    for (const facts of Object.values(functions)) {
      expect(Object.keys(facts.why).sort()).toEqual(['concurrency', 'max_instances', 'memory', 'timeout']);
    }
  });

  test('knows what each provider cannot do without', async () => {
    const { terraform } = await readInfra();
    const needs = providerEntries().flatMap(([name, { needs }]) => (needs ? [[name, needs.variable]] : []));
    const text = String(terraform.locals.provider_needs);
    const said = typeof terraform.locals.provider_needs === 'object' ? terraform.locals.provider_needs : text;
    expect(said).toEqual(Object.fromEntries(needs));
  });

  test('starts the console with what it is given, which is no secret, and the one door with the console', async () => {
    const infra = await readInfra();
    const given = environmentOf(infra, 'console', true);
    expect(given).toEqual({ K_SERVICE: 'llm-jobs-console', GOOGLE_CLOUD_PROJECT: 'p' });
    expect(readConfig(given, PAGE_SETTINGS)).toMatchObject({ projectId: 'p', logFormat: 'json', drainMs: 8_000 });
    expect(readConfig(environmentOf(infra, 'api', true)).console).toBe(true);
    expect(readConfig(environmentOf(infra, 'status', true)).console).toBe(false);
  });

  test.each(WITH_JOBS.flatMap((name) => [true, false].map((has) => [name, has] as const)))(
    'starts %s with its environment (secrets: %s)',
    async (name, hasSecrets) => {
      const infra = await readInfra();
      const config = readConfig(environmentOf(infra, name, hasSecrets));
      expect(config).toMatchObject({ projectId: 'p', eventsTopic: 'llm-jobs-events', authModes: ['api-key'] });
      if (name === 'worker') expect(config.workerConcurrency).toBe(infra.functions.worker?.concurrency);
      expect(config.openaiApiKey).toBe(name === 'worker' && hasSecrets ? 'key' : undefined);
    },
  );
});

const subscription = (infra: Infra): Block => resources(infra, 'google_pubsub_subscription').this ?? {};

test.each<[string, (infra: Infra) => void, string[]]>([
  [
    'a public worker',
    ({ functions }) => void Object.assign(functions.worker ?? {}, { caller: 'public' }),
    ['worker is public'],
  ],
  [
    'everybody as invoker',
    (infra) =>
      void Object.assign(resources(infra, 'google_cloud_run_service_iam_member').invokers ?? {}, {
        member: 'allUsers',
      }),
    ['invokers: for everybody'],
  ],
  [
    'everybody as the reader of a secret',
    (infra) =>
      void Object.assign(resources(infra, 'google_secret_manager_secret_iam_member').this ?? {}, {
        member: 'allUsers',
      }),
    ['google_secret_manager_secret_iam_member.this: for everybody'],
  ],
  [
    'a worker that is reached from everywhere',
    (infra) =>
      void Object.assign(inner(resources(infra, 'google_cloudfunctions2_function').this, 'service_config'), {
        ingress_settings: 'ALLOW_ALL',
      }),
    ['ingress is open'],
  ],
  [
    'a shorter ack deadline',
    (infra) => void Object.assign(subscription(infra), { ack_deadline_seconds: 60 }),
    ['this: acknowledged before 540 s'],
  ],
  [
    'a wider role',
    ({ roles }) => void Object.assign(roles.status?.[0] ?? {}, { role: 'roles/datastore.owner' }),
    [
      'status: roles/datastore.owner on database',
      expect.stringContaining('not in the README: status roles/datastore.owner') as unknown as string,
      expect.stringContaining('in the README alone: status roles/datastore.user') as unknown as string,
    ],
  ],
  [
    'a role of others, in the README, too',
    (infra) => {
      const why = 'asks';
      infra.roles.push?.push({ role: 'roles/datastore.user', on: 'database', why });
      infra.readme += `\n| \`push\` | \`roles/datastore.user\` | database | ${why} |\n`;
    },
    ['push: roles/datastore.user on database'],
  ],
  [
    'a role that is written in iam.tf',
    (infra) =>
      void Object.assign(resources(infra, 'google_project_iam_member').project ?? {}, { role: 'roles/editor' }),
    ['google_project_iam_member.project: roles/editor'],
  ],
  ['no row of a setting', ({ environment }) => void delete environment.LEASE_MS, ['LEASE_MS has no row']],
  [
    'a row of no setting',
    ({ environment }) => void Object.assign(environment, { LEASES: { not: 'none' } }),
    ['LEASES is no setting'],
  ],
  [
    'no grant to publish dead letters',
    ({ terraform }) => void delete terraform.resource.google_pubsub_topic_iam_member?.dead_letters,
    ['Pub/Sub may not publish dead letters'],
  ],
  [
    'no grant to acknowledge them',
    ({ terraform }) => void delete terraform.resource.google_pubsub_subscription_iam_member?.dead_letters,
    ['Pub/Sub may not acknowledge what is dead'],
  ],
  [
    'a key in the wrong hands',
    ({ environment }) => void environment.OPENAI_API_KEY?.functions?.push('status'),
    ['OPENAI_API_KEY must not be given to status'],
  ],
  [
    'the newest secret, whichever it is',
    ({ terraform }) => void delete terraform.variable.secrets?.[0]?.validation,
    ['secrets are not pinned'],
  ],
  [
    'a console that may read jobs',
    ({ environment, roles }) => {
      roles.console?.push({ role: 'roles/datastore.user', on: 'database', why: 'asks' });
      environment.REDIS_URL?.functions?.push('console');
    },
    [
      'REDIS_URL must not be given to console',
      'console: roles/datastore.user',
      'REDIS_URL is no business of console',
      'console: roles/datastore.user on database',
      'not in the README: console roles/datastore.user database asks',
    ],
  ],
  [
    'no dead letters',
    (infra) => void delete subscription(infra).dead_letter_policy,
    ['this: no dead letters after 20 deliveries or more'],
  ],
  ['a subscription that ends', (infra) => void delete subscription(infra).expiration_policy, ['this: expires']],
  [
    'too short a time for the worker',
    ({ functions }) => void Object.assign(functions.worker ?? {}, { timeout: 540 }),
    ['worker: 540 s is less than its caller waits'],
  ],
  [
    'a variable that is not there',
    ({ terraform }) => void delete terraform.variable.runtime,
    ['variable runtime is not declared'],
  ],
  [
    'a resource that is not there',
    ({ terraform }) => void delete terraform.resource.google_storage_bucket?.sources,
    ['resource google_storage_bucket.sources is not declared'],
  ],
])('%s is found', async (_, breakIt, found) => {
  const infra = await readInfra();
  breakIt(infra);
  expect(everyRule(infra)).toEqual(found);
});
