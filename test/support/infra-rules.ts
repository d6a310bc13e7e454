/** What must hold of the infrastructure; each rule answers what is wrong, in a line each. */
import { SETTINGS } from '../../shared/config.ts';
import { LIMIT_RANGES } from '../../shared/core/limits.ts';
import { PAGE_SETTINGS } from '../../shared/runtime-pages.ts';
import { type Block, type Infra, inner, resources } from './infra-terraform.ts';

export type InfraRule = (infra: Infra) => string[];

/** Every role that there may be, and who may have it on what. */
const ROLES_ALLOWED: Record<string, RegExp> = {
  'roles/datastore.user': /^(api|submit|status|stream|worker|dead-letter|sweeper) database$/,
  'roles/pubsub.publisher': /^((api|submit|status|stream|worker|dead-letter|sweeper) jobs|worker events)$/,
  'roles/run.invoker': /^(push (worker|dead-letter)|scheduler sweeper)$/,
  'roles/aiplatform.user': /^worker vertex$/,
  'roles/logging.logWriter': /^build project$/,
  'roles/artifactregistry.writer': /^build project$/,
  'roles/storage.objectViewer': /^build project$/,
};
/** What is written in Terraform itself: the grants of Google's own agents, of publishers, secrets and the public. */
const WRITTEN_ROLES: Record<string, string> = {
  'google_pubsub_topic_iam_member.dead_letters': 'roles/pubsub.publisher',
  'google_pubsub_subscription_iam_member.dead_letters': 'roles/pubsub.subscriber',
  'google_service_account_iam_member.push_tokens': 'roles/iam.serviceAccountTokenCreator',
  'google_pubsub_topic_iam_member.publishers': 'roles/pubsub.publisher',
  'google_cloud_run_service_iam_member.public': 'roles/run.invoker',
  'google_secret_manager_secret_iam_member.this': 'roles/secretmanager.secretAccessor',
};

/** Who may read each secret. */
const SECRET_READERS: Record<string, string[]> = {
  OPENAI_API_KEY: ['worker'],
  GEMINI_API_KEY: ['worker'],
  ANTHROPIC_API_KEY: ['worker'],
  OPENAI_COMPATIBLE_API_KEY: ['worker'],
  SIGNING_SECRETS: ['api', 'submit', 'status', 'stream'],
  WEBHOOK_SECRETS: ['api', 'submit', 'status', 'worker', 'dead-letter'],
  REDIS_URL: ['api', 'submit', 'status', 'stream', 'worker', 'dead-letter', 'sweeper'],
};

/** Its rows are those of config.ts, each for functions that there are, or with a reason why not. */
export const environmentRows: InfraRule = ({ environment, functions, terraform }) => {
  const variables = Object.values(SETTINGS).map(({ variable }) => variable);
  const known = JSON.stringify(terraform.locals.resources);
  return [
    ...variables.filter((name) => !environment[name]).map((name) => `${name} has no row`),
    ...Object.entries(environment).flatMap(([name, row]) => [
      ...(variables.includes(name) ? [] : [`${name} is no setting`]),
      ...(row.not || (row.functions?.length && row.from && row.why) ? [] : [`${name} has no reason`]),
      ...(row.functions ?? []).filter((one) => !functions[one]).map((one) => `${name}: ${one} is no function`),
      ...(row.from !== 'resource' || known.includes(`${row.resource} `) ? [] : [`${name}: no such resource`]),
    ]),
  ];
};

/** Each secret goes to those who need it, and only by the number of its version. */
export const secretReaders: InfraRule = (infra) => {
  const wrong = Object.entries(infra.environment).flatMap(([name, { from, functions = [] }]) => {
    if (from !== 'secret') return SECRET_READERS[name] ? [`${name} is a secret`] : [];
    const allowed = SECRET_READERS[name] ?? [];
    return [
      ...functions.filter((one) => !allowed.includes(one)).map((one) => `${name} must not be given to ${one}`),
      ...allowed.filter((one) => !functions.includes(one)).map((one) => `${name} must be given to ${one}`),
    ];
  });
  const numbered = JSON.stringify(infra.terraform.variable.secrets).includes('^[1-9][0-9]*$');
  const given = JSON.stringify(resources(infra, 'google_cloudfunctions2_function').this);
  const version = given.includes('secret_environment_variables.value}');
  return numbered && version ? wrong : [...wrong, 'secrets are not pinned'];
};

/** Only doors are public; what Google's services alone call is not even reached from elsewhere. */
export const privateFunctions: InfraRule = (infra) => {
  const members = resources(infra, 'google_cloud_run_service_iam_member');
  const publics = Object.entries(members).filter(([, { member }]) => /allUsers|allAuthenticated/.test(String(member)));
  const guard = 'if var.public && function.caller == "public"';
  const { ingress_settings: ingress } = inner(
    resources(infra, 'google_cloudfunctions2_function').this,
    'service_config',
  );
  const others = Object.entries(infra.terraform.resource).flatMap(([type, named]) =>
    Object.entries(named)
      .filter(([name]) => type !== 'google_cloud_run_service_iam_member' || !(name in members))
      .filter(([, block]) => /allUsers|allAuthenticated|invoker_iam_disabled/.test(JSON.stringify(block)))
      .map(([name]) => `${type}.${name}: for everybody`),
  );
  return [
    ...others,
    ...publics
      .filter(([, { for_each: each }]) => !String(each).includes(guard))
      .map(([name]) => `${name}: for everybody`),
    ...['worker', 'dead-letter', 'sweeper']
      .filter((name) => infra.functions[name]?.caller === 'public')
      .map((name) => `${name} is public`),
    ...(String(ingress).startsWith(`\${each.value.caller != "public" ? "ALLOW_INTERNAL_ONLY"`)
      ? []
      : ['ingress is open']),
  ];
};

/** Nothing that is pushed is lost: dead letters, both grants, no expiry, and time enough. */
export const subscriptions: InfraRule = (infra) => {
  const found = Object.entries(resources(infra, 'google_pubsub_subscription'));
  const topicGrant = resources(infra, 'google_pubsub_topic_iam_member').dead_letters;
  const sourceGrant = resources(infra, 'google_pubsub_subscription_iam_member').dead_letters;
  const isAgents = (grant: Block | undefined) =>
    grant?.for_each === `\${local.queues}` && grant.member === `\${local.pubsub_agent}`;
  const attemptS = LIMIT_RANGES.attemptTimeoutMs[1];
  return [
    ...found.flatMap(([name, block]) => {
      const { dead_letter_topic: dead, max_delivery_attempts: most } = inner(block, 'dead_letter_policy');
      const mayEnd = name === 'dead_letters';
      return [
        ...(mayEnd || (dead && Number(most) >= 20) ? [] : [`${name}: no dead letters after 20 deliveries or more`]),
        ...(Number(block.ack_deadline_seconds) >= attemptS ? [] : [`${name}: acknowledged before ${attemptS} s`]),
        ...(inner(block, 'expiration_policy').ttl === '' ? [] : [`${name}: expires`]),
        ...(block.message_retention_duration === '604800s' ? [] : [`${name}: kept less than a week`]),
        ...(inner(inner(block, 'push_config'), 'oidc_token').audience ? [] : [`${name}: no OIDC audience`]),
      ];
    }),
    ...(isAgents(topicGrant) ? [] : ['Pub/Sub may not publish dead letters']),
    ...(isAgents(sourceGrant) ? [] : ['Pub/Sub may not acknowledge what is dead']),
  ];
};

/** A function may run longer than whoever calls it waits. */
export const timeouts: InfraRule = (infra) => {
  const acks = Object.values(resources(infra, 'google_pubsub_subscription')).map((one) =>
    Number(one.ack_deadline_seconds),
  );
  const schedule = resources(infra, 'google_cloud_scheduler_job').sweeper;
  const attempt = Number.parseInt(String(schedule?.attempt_deadline), 10);
  const least: Record<string, number> = { push: Math.max(...acks), scheduler: attempt, public: 60 };
  return Object.entries(infra.functions).flatMap(([name, { caller, timeout }]) =>
    timeout > (least[caller] ?? 0) ? [] : [`${name}: ${timeout} s is less than its caller waits`],
  );
};

/** It serves files to everybody: it may do nothing, and is told nothing but what its log and its end want. */
export const consoleAlone: InfraRule = ({ environment, roles }) => [
  ...(roles.console?.map(({ role }) => `console: ${role}`) ?? ['console has no account of its own']),
  ...Object.entries(environment)
    .filter(([name, { functions = [] }]) => functions.includes('console') && !OF_CONSOLE.includes(name))
    .map(([name]) => `${name} is no business of console`),
];
const OF_CONSOLE = PAGE_SETTINGS.map((name): string => SETTINGS[name].variable);

/** Every role is allowed, shown in the README, and given by iam.tf. */
export const grants: InfraRule = (infra) => {
  const all = Object.entries(infra.roles).flatMap(([account, list]) => list.map((grant) => ({ account, ...grant })));
  const shown = [...infra.readme.matchAll(/^\| `([\w-]+)` \| `(roles\/[\w.]+)` \| ([\w-]+) \| (.+) \|$/gm)];
  const rows = shown.map(([, ...cells]) => cells.join(' '));
  const wanted = all.map(({ account, role, on, why }) => [account, role, on, why].join(' '));
  return [
    ...all
      .filter(({ account, role, on }) => !ROLES_ALLOWED[role]?.test(`${account} ${on}`))
      .map((one) => `${one.account}: ${one.role} on ${one.on}`),
    ...wanted.filter((row) => !rows.includes(row)).map((row) => `not in the README: ${row}`),
    ...rows.filter((row) => !wanted.includes(row)).map((row) => `in the README alone: ${row}`),
    ...writtenRoles(infra),
  ];
};

function writtenRoles(infra: Infra): string[] {
  const types = Object.keys(infra.terraform.resource).filter((type) => /_iam_/.test(type));
  return types.flatMap((type) =>
    Object.entries(resources(infra, type)).flatMap(([name, { role, for_each: each }]) => {
      const id = `${type}.${name}`;
      const isRead = role === `\${each.value.role}` && String(each).includes('local.grants');
      return isRead || (role !== undefined && role === WRITTEN_ROLES[id]) ? [] : [`${id}: ${role}`];
    }),
  );
}
