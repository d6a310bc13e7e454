/** Settings that are right by themselves and cannot both be meant. */
import { deployed, type Environment } from './config-kinds.ts';

/** What the rules look at; those are absent that could not be read. */
type Read = {
  authModes?: readonly string[];
  allowNoAuth?: boolean;
  invokers?: readonly string[];
  invokerAudiences?: readonly string[];
  webhookSecrets?: readonly string[];
  webhookHosts?: readonly string[];
  streamMs?: number;
  surfaces?: readonly string[];
  console?: boolean;
  jobsTopic?: string;
  submissionsTopic?: string;
};

/** One variable, and what is wrong with it beside another. */
export type Contradiction = { variable: string; sentence: string };

type Rule = (read: Read, environment: Environment) => Contradiction | false | undefined;

/** Those functions that keep streams open. */
const STREAMING: readonly string[] = ['api', 'stream'];

const RULES: readonly Rule[] = [
  ({ allowNoAuth, authModes = [] }) =>
    allowNoAuth &&
    authModes.length > 0 && {
      variable: 'ALLOW_NO_AUTH',
      sentence: `must not be true beside AUTH_MODE=${authModes.join(',')}, which asks everybody: one of the two is not meant`,
    },
  ({ invokers = [], invokerAudiences = [] }) =>
    invokers.includes('iam') &&
    invokerAudiences.length > 0 && {
      variable: 'INVOKER_AUDIENCES',
      sentence: 'must not be set beside INVOKERS=iam: Cloud Run then looks at the tokens, and these would be ignored',
    },
  ({ invokers, invokerAudiences = [] }, environment) =>
    !deployed(environment) &&
    invokers?.length === 0 &&
    invokerAudiences.length > 0 && {
      variable: 'INVOKER_AUDIENCES',
      sentence: 'must not be set without INVOKERS: nobody is asked for a token then',
    },
  ({ webhookHosts = [], webhookSecrets }) =>
    webhookHosts.length > 0 &&
    webhookSecrets?.length === 0 && {
      variable: 'WEBHOOK_HOSTS',
      sentence: 'must not be set without WEBHOOK_SECRETS: no job may have a webhook then, wherever it goes',
    },
  ({ jobsTopic, submissionsTopic }) =>
    jobsTopic !== undefined &&
    jobsTopic === submissionsTopic && {
      variable: 'SUBMISSIONS_TOPIC',
      sentence: `must not be JOBS_TOPIC, ${jobsTopic}: doorbells would be taken for submissions`,
    },
  ({ surfaces, console }) =>
    console &&
    surfaces?.includes('llm-jobs') === false && {
      variable: 'CONSOLE',
      sentence: `must not be true beside SURFACES=${surfaces.join(',')}: the console shows what \`llm-jobs\` serves`,
    },
  // The platform sets both; where it says nothing, nothing is known.
  ({ streamMs = 0 }, { CLOUD_RUN_TIMEOUT_SECONDS: limit, FUNCTION_TARGET: target = '' }) =>
    STREAMING.includes(target) &&
    Number(limit) > 0 &&
    streamMs >= Number(limit) * 1_000 && {
      variable: 'STREAM_MS',
      sentence: `must be less than the ${limit} seconds that this function may run (timeout in infra/functions.json): a stream would be cut off`,
    },
];

/** What cannot both be meant, in the order of the rules. */
export function contradictionsIn(read: Read, environment: Environment): Contradiction[] {
  return [...RULES.flatMap((rule) => rule(read, environment) || []), ...ofOneMachine(environment)];
}

/** A job that went into such a store would be lost with the instance. */
function ofOneMachine(environment: Environment): Contradiction[] {
  if (!deployed(environment)) return [];
  const sentence = `must not be set where K_SERVICE is, which says that this is Google Cloud: its own Firestore and Pub/Sub are used here`;
  const variables = ['DATABASE_URL', 'FIRESTORE_EMULATOR_HOST', 'PUBSUB_EMULATOR_HOST'];
  return variables
    .filter((variable) => (environment[variable] ?? '').trim() !== '')
    .map((variable) => ({ variable, sentence }));
}
