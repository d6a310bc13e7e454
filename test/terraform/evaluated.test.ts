/** What Terraform would make, by its own evaluation: who is called by whom, with which settings, and who may do what. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from '../../shared/config.ts';
import { isOfConsole } from '../../shared/http/pages.ts';
import { kindOf } from '../../shared/http/request-kind.ts';
import { PAGE_SETTINGS } from '../../shared/runtime-pages.ts';
import { evaluated, instancesOf } from '../support/infra-evaluated.ts';
import { type Block, readInfra, resources } from '../support/infra-terraform.ts';

type Made = Record<string, Record<string, unknown>>;
type Everything = Record<
  'functions' | 'everybody' | 'invokers' | 'jobs' | 'dead' | 'schedule' | 'topics' | 'databases',
  Made
> & {
  grants: string[];
};
const infra = await readInfra();

const oidc = [
  'push_config.push_endpoint',
  'push_config.oidc_token.audience',
  'push_config.oidc_token.service_account_email',
];
const schedule = infra.terraform.resource.google_cloud_scheduler_job?.sweeper?.[0];

const SECRETS = 'service_config.dynamic.secret_environment_variables.for_each';
const secrets = { OPENAI_API_KEY: '1', SIGNING_SECRETS: '2', WEBHOOK_SECRETS: '3' };

function madeWith(variables: object = {}): Everything {
  const of = (type: string, name: string, ...attributes: string[]) => instancesOf(infra, type, name, attributes);
  const inService = [
    'timeout_seconds',
    'max_instance_request_concurrency',
    'ingress_settings',
    'service_account_email',
  ];
  const expressions = {
    functions: of(
      'google_cloudfunctions2_function',
      'this',
      ...[
        'build_config.entry_point',
        SECRETS,
        ...[...inService, 'environment_variables'].map((name) => `service_config.${name}`),
      ],
    ),
    everybody: of('google_cloud_run_service_iam_member', 'public', 'service', 'member'),
    invokers: of('google_cloud_run_service_iam_member', 'invokers', 'service', 'role', 'member'),
    jobs: of('google_pubsub_subscription', 'this', 'topic', ...oidc, 'dead_letter_policy.dead_letter_topic'),
    dead: of('google_pubsub_subscription', 'dead_letters', 'topic', ...oidc),
    topics: of('google_pubsub_topic_iam_member', 'this', 'topic', 'role', 'member'),
    databases: of('google_project_iam_member', 'database', 'role', 'member', 'condition.expression'),
    projects: of('google_project_iam_member', 'project', 'project', 'role', 'member'),
    readers: of('google_secret_manager_secret_iam_member', 'this', 'secret_id', 'role', 'member'),
  };
  return evaluated(infra, expressions, variables);
}

const DOORS = { whole: ['api'], split: ['status', 'stream', 'submit'] };
const SPLIT = { split: true, domain: 'd.example' };
const SHAPES = [
  ['whole', {}, DOORS.whole],
  ['split', SPLIT, DOORS.split],
  ['split', { ...SPLIT, console: true }, ['console', ...DOORS.split]],
] as const;

describe.each(SHAPES)('%s, with %o', (shape, variables, doors) => {
  const made = madeWith({ ...variables, publish_events: true, secrets });
  const { functions, everybody, invokers, jobs, dead, topics, databases, projects, readers } = made as Everything & {
    projects: Made;
    readers: Made;
  };
  test('everybody may call the doors, and nothing else', () => {
    expect(Object.keys(functions)).toEqual([...doors, 'dead-letter', 'sweeper', 'worker'].sort());
    expect(everybody).toEqual(
      Object.fromEntries(doors.map((name) => [name, { service: `this ${name} name`, member: 'allUsers' }])),
    );
    const reached = Object.entries(functions).map(([name, one]) => [name, one['service_config.ingress_settings']]);
    const open = shape === 'split' ? 'ALLOW_INTERNAL_AND_GCLB' : 'ALLOW_ALL';
    expect(Object.fromEntries(reached)).toEqual({
      ...Object.fromEntries(doors.map((name) => [name, open])),
      ...{ worker: 'ALLOW_INTERNAL_ONLY', 'dead-letter': 'ALLOW_INTERNAL_ONLY', sweeper: 'ALLOW_INTERNAL_ONLY' },
    });
  });

  test('each other function is called by one account, whose tokens it takes', () => {
    const calls = Object.values(invokers).map(({ service, member }) => `${member} ${service}`);
    expect(calls.sort()).toEqual([
      'serviceAccount:push@made this dead-letter name',
      'serviceAccount:push@made this worker name',
      'serviceAccount:scheduler@made this sweeper name',
    ]);
    for (const [name, caller] of Object.entries({ worker: 'push', 'dead-letter': 'push', sweeper: 'scheduler' })) {
      expect(functions[name]?.['service_config.environment_variables']).toMatchObject({
        INVOKERS: `${caller}@made`,
        INVOKER_AUDIENCES: `https://llm-jobs-${name}-123.us-central1.run.app`,
      });
    }
  });

  test('each queue is pushed to the worker, what is dead of it to its own end', () => {
    expect(Object.keys(jobs)).toEqual(['jobs', 'submissions-default']);
    for (const [which, name] of [
      [jobs, 'worker'],
      [dead, 'dead-letter'],
    ] as const) {
      for (const [key, path] of [
        ['jobs', '/'],
        ['submissions-default', '/submissions?tenant=default&user=publisher'],
      ]) {
        expect(which[key ?? '']).toMatchObject({
          topic: `${name === 'worker' ? 'this' : 'dead_letters'} ${key} id`,
          'push_config.push_endpoint': `this ${name} uri${path}`,
          'push_config.oidc_token.audience': `https://llm-jobs-${name}-123.us-central1.run.app`,
          'push_config.oidc_token.service_account_email': 'push@made',
        });
      }
    }
    expect(
      Object.entries(jobs).map(
        ([key, one]) => one['dead_letter_policy.dead_letter_topic'] === `dead_letters ${key} id`,
      ),
    ).toEqual([true, true]);
    const http = schedule?.http_target as [
      { uri: string; oidc_token: [{ audience: string; service_account_email: string }] },
    ];
    expect(http[0].uri).toContain('.this["sweeper"]');
    expect(http[0].oidc_token[0]).toEqual({
      audience: `\${local.audiences["sweeper"]}`,
      service_account_email: `\${local.emails["scheduler"]}`,
    });
    expect(schedule?.schedule).toBe('* * * * *');
  });

  test('each function runs as itself, as functions.json has it, and starts with what it is given', () => {
    for (const [name, one] of Object.entries(functions)) {
      const facts = infra.functions[name];
      expect(one).toMatchObject({
        'build_config.entry_point': facts?.target,
        'service_config.service_account_email': `${name}@made`,
        'service_config.timeout_seconds': facts?.timeout,
        'service_config.max_instance_request_concurrency': facts?.concurrency,
      });
      const environment = one['service_config.environment_variables'] as Record<string, string>;
      const rows = Object.entries(infra.environment).filter(([, { functions: of = [] }]) => of.includes(name));
      const plain = rows.filter(([, row]) => row.from === 'resource' || row.default !== undefined);
      expect(Object.keys(environment).sort()).toEqual(
        [...plain.map(([variable]) => variable), 'LOG_EXECUTION_ID', 'NODE_COMPILE_CACHE'].sort(),
      );
      const hidden = rows.filter(([variable]) => variable in secrets).map(([variable]) => variable);
      expect(Object.keys(one[SECRETS] as object).sort()).toEqual(hidden.sort());
      const platform = {
        K_SERVICE: name,
        FUNCTION_TARGET: `${facts?.target}`,
        CLOUD_RUN_TIMEOUT_SECONDS: `${facts?.timeout}`,
      };
      if (name === 'console') {
        expect(readConfig({ ...environment, ...platform }, PAGE_SETTINGS)).toMatchObject({ projectId: 'p-1' });
        continue;
      }
      const config = readConfig({ ...environment, ...platform });
      expect(config.console).toBe(false);
      expect(config).toMatchObject({ projectId: 'p-1', authModes: ['api-key'], jobsTopic: 'this jobs name' });
      if (doors.includes(name)) expect(config.trustedProxies).toBe(shape === 'split' ? 2 : 1);
    }
  });

  test('each may do what roles.json has, and read its own secrets, and no more', () => {
    const account = (member: unknown) => String(member).replace(/^serviceAccount:(.*)@made$/, '$1');
    const found = [
      ...Object.values(topics).map(({ member, role, topic }) => [
        account(member),
        role,
        topic === 'this jobs name' ? 'jobs' : topic,
      ]),
      ...Object.values(databases).map((one) => {
        expect(one['condition.expression']).toBe('resource.name == "projects/p-1/databases/(default)"');
        return [account(one.member), one.role, 'database'];
      }),
      ...Object.values(projects).map(({ member, role, project }) => [account(member), role, project]),
      ...Object.values(invokers).map(({ member, role, service }) => [
        account(member),
        role,
        String(service).split(' ')[1],
      ]),
      ...Object.values(readers).map(({ member, role, secret_id: id }) => [
        account(member),
        role,
        String(id).split(' ')[1],
      ]),
    ].map((row) => row.join(' '));
    const deployed = [...Object.keys(functions), 'push', 'scheduler', 'build'];
    const wanted = Object.entries(infra.roles)
      .filter(([name]) => deployed.includes(name))
      .flatMap(([name, list]) =>
        list.map(
          ({ role, on }) => `${name} ${role} ${on === 'project' ? 'p-1' : on === 'events' ? 'events name' : on}`,
        ),
      )
      .filter((row) => !row.endsWith(' vertex'));
    const keys = Object.entries(infra.environment)
      .filter(([, { from }]) => from === 'secret')
      .flatMap(([variable, { functions: of = [] }]) =>
        of
          .filter((name) => deployed.includes(name))
          .map((name) => `${name} roles/secretmanager.secretAccessor ${variable}`),
      );
    expect(found.sort()).toEqual([...wanted, ...keys].sort());
  });
});

describe('the console', () => {
  test('is within the one door, where it is wanted', () => {
    const { functions } = madeWith({ console: true });
    expect(Object.keys(functions)).not.toContain('console');
    const { api } = functions as Record<string, { 'service_config.environment_variables': Record<string, string> }>;
    const platform = { K_SERVICE: 'api', FUNCTION_TARGET: 'api' };
    expect(readConfig({ ...api?.['service_config.environment_variables'], ...platform }).console).toBe(true);
  });

  test('has a route of its own for its page and its files, and only where it is wanted', () => {
    const { path_matcher: matcher } = resources(infra, 'google_compute_url_map').this ?? {};
    const [{ route_rules: others, dynamic }] = matcher as [
      { route_rules: Block[]; dynamic: { route_rules: [{ for_each: string; content: [Block] }] } },
    ];
    const [{ for_each: each, content }] = dynamic.route_rules;
    expect(each).toBe(`\${var.console ? ["console"] : []}`);
    // After those that look at the method and at streams: what is written never comes here.
    expect([...others, content[0]].map(({ priority }) => priority)).toEqual([1, 2, 3]);
    const matches = content[0].match_rules as { full_path_match?: string; prefix_match?: string }[];
    const isSent = (path: string) =>
      matches.some(({ full_path_match: full, prefix_match: prefix }) =>
        prefix === undefined ? path === full : path.startsWith(prefix),
      );
    for (const path of [
      '/',
      '/console/index-1a2b.js',
      '/console',
      '/health',
      '/docs',
      '/api/llm/jobs/',
      '/consoles/',
    ]) {
      expect([path, isSent(path)]).toEqual([path, isOfConsole(path)]);
    }
  });
});

describe('the load balancer', () => {
  test('sends each request to the function of its kind', () => {
    const { writes, streams } = evaluated<{ writes: string[]; streams: string[] }>(infra, {
      writes: 'local.write_methods',
      streams: 'local.stream_paths',
    });
    const isStream = (path: string) =>
      streams.some((one) => new RegExp(`^${one.replaceAll('*', '[^/]+')}$`).test(path));
    const paths = [
      '/jobs/1/stream',
      '/jobs/1/stream/',
      '/api/llm/jobs/stream',
      '/api/llm/jobs/stream/',
      '/api/llm/jobs/1/stream',
      '/api/llm/jobs/1/stream/',
      '/jobs/1',
      '/',
    ];
    for (const path of paths) {
      for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
        const sent = writes.includes(method) ? 'writes' : isStream(path) ? 'streams' : 'reads';
        expect(`${method} ${path} ${sent}`).toBe(`${method} ${path} ${kindOf(method, path)}`);
      }
    }
  });
});

test('every file has the form that terraform fmt gives it', () => {
  const { status, stdout } = spawnSync('terraform', ['fmt', '-check', join(import.meta.dirname, '../../infra')]);
  expect(String(stdout)).toBe('');
  expect(status).toBe(0);
});
