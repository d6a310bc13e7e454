/**
 * Every setting, one row each: its variable, what it means, its default, how it is read. The only file that reads
 * `process.env`. The table in the README is checked against these rows.
 */
import { ACCESS_SETTINGS } from './config-access.ts';
import { type Contradiction, contradictionsIn } from './config-contradictions.ts';
import {
  choice,
  deployed,
  type Environment,
  list,
  listed,
  optional,
  type ServiceName,
  type Setting,
  serviceIn,
  text,
  toOrigin,
  toPair,
  whole,
} from './config-kinds.ts';
import { LIMIT_SETTINGS } from './config-limits.ts';
import { NOTICE_SETTINGS } from './config-notices.ts';
import { headingIn, placeOf } from './config-places.ts';
import { SURFACE_SETTINGS } from './config-surfaces.ts';

export const SETTINGS = {
  port: whole('PORT', 'The port of the local service.', 8080, 0, 65_535),
  host: text('HOST', 'The address that the local service listens on.', '127.0.0.1'),
  databaseUrl: {
    variable: 'DATABASE_URL',
    meaning: 'The SQLite file of `npm start`; `:memory:` keeps nothing.',
    shownDefault: 'jobs.db',
    read: (raw = 'jobs.db') => {
      const path = raw.replace(/^file:/, '');
      if (!/^\w+:\/\//.test(path)) return path;
      throw new Error('must be a file: jobs are kept in SQLite');
    },
  } satisfies Setting<string>,
  ...ACCESS_SETTINGS,
  corsOrigins: {
    variable: 'CORS_ORIGINS',
    meaning: 'Origins whose pages may call, separated by commas; locally, any localhost origin may.',
    shownDefault: '',
    read: (raw) => listed(raw).map(toOrigin),
  } satisfies Setting<string[]>,
  ...SURFACE_SETTINGS,
  openaiApiKey: optional('OPENAI_API_KEY', "OpenAI's key. Without it its models answer 503."),
  openaiBaseUrl: optional('OPENAI_BASE_URL', 'Where the OpenAI API is, if not at OpenAI.'),
  geminiApiKey: optional('GEMINI_API_KEY', "Gemini's key. Without it its models answer 503."),
  geminiBaseUrl: optional('GEMINI_BASE_URL', 'Where the Gemini API is, if not at Google.'),
  anthropicApiKey: optional('ANTHROPIC_API_KEY', "Anthropic's key. Without it its models answer 503."),
  anthropicBaseUrl: optional('ANTHROPIC_BASE_URL', 'Where the Anthropic API is, if not at Anthropic.'),
  vertexProject: optional(
    'VERTEX_PROJECT',
    'The Google Cloud project whose Vertex AI is called, with Application Default Credentials. Without it its models answer 503.',
  ),
  vertexLocation: {
    variable: 'VERTEX_LOCATION',
    meaning: 'Where its models run: a region, or `global`.',
    shownDefault: 'global',
    read: (raw = 'global') => {
      // It becomes a part of the host's name, to which an access token is sent.
      if (/^[a-z][a-z0-9-]{0,40}$/.test(raw)) return raw;
      throw new Error('must be a region such as `europe-west1`, or `global`');
    },
  } satisfies Setting<string>,
  vertexBaseUrl: optional('VERTEX_BASE_URL', "Where its Chat Completions are, if not at the location's own address."),
  openaiCompatibleBaseUrl: optional(
    'OPENAI_COMPATIBLE_BASE_URL',
    'A server that speaks Chat Completions: Ollama, vLLM, a gateway, most vendors.',
  ),
  openaiCompatibleApiKey: optional('OPENAI_COMPATIBLE_API_KEY', 'Its key, if it wants one.'),
  openaiCompatibleModels: list('OPENAI_COMPATIBLE_MODELS', 'The names of its models, separated by commas.'),
  modelAliases: {
    variable: 'MODEL_ALIASES',
    meaning: 'Which model a name runs as, in place of the default for retired ones: `gemini-pro=gemini-2.5-flash,…`.',
    shownDefault: '',
    read: (raw) => new Map(listed(raw).map(toPair)),
  } satisfies Setting<ReadonlyMap<string, string>>,
  ...LIMIT_SETTINGS,
  ...NOTICE_SETTINGS,
  configuredProviders: list(
    'CONFIGURED_PROVIDERS',
    'Providers that the workers have keys for, separated by commas, for functions that hold no keys themselves.',
  ),
  simulatedMs: whole(
    'SIMULATED_MS',
    'How long the simulated model takes for an answer, in milliseconds.',
    1_000,
    0,
    540_000,
  ),
  leaseMs: whole(
    'LEASE_MS',
    'How long a worker holds a job without a sign of life, in milliseconds.',
    60_000,
    500,
    600_000,
  ),
  flushMs: {
    variable: 'FLUSH_MS',
    meaning: 'How often the text of a streamed job is written, in milliseconds; each time is a write.',
    shownDefault: '250; 10 on SQLite',
    read: (raw) => (raw === undefined ? undefined : whole('FLUSH_MS', '', 0, 0, 60_000).read(raw, {})),
  } satisfies Setting<number | undefined>,
  streamMs: whole(
    'STREAM_MS',
    'How long a stream is kept open, in milliseconds, before its client has to come back; less than the function may run.',
    600_000,
    1_000,
    3_500_000,
  ),
  drainMs: {
    variable: 'DRAIN_MS',
    meaning: 'How long a process that is told to stop lets its jobs and requests end, in milliseconds.',
    shownDefault: '1000; 8000 on Google Cloud',
    // Cloud Run kills ten seconds after SIGTERM, and the last answers have to go out.
    read: (raw, environment) => {
      const [byDefault, most] = deployed(environment) ? [8_000, 9_500] : [1_000, 600_000];
      return whole('DRAIN_MS', '', byDefault, 0, most).read(raw, environment);
    },
  } satisfies Setting<number>,
  workerConcurrency: whole(
    'WORKER_CONCURRENCY',
    'How many jobs run at once in a process; on Google Cloud also the concurrency of the worker.',
    50,
    1,
    1_000,
  ),
  sweepMs: whole(
    'SWEEP_MS',
    'How often the local sweeper looks for jobs that are due, in milliseconds.',
    2_000,
    50,
    600_000,
  ),
  projectId: {
    variable: 'GOOGLE_CLOUD_PROJECT',
    meaning: 'The Google Cloud project.',
    shownDefault: 'demo-llm-jobs',
    read: (raw, environment) => {
      if (raw !== undefined || !deployed(environment)) return raw ?? 'demo-llm-jobs';
      throw new Error('must name the project on Google Cloud');
    },
  } satisfies Setting<string>,
  firestoreDatabase: text('FIRESTORE_DATABASE', 'The Firestore database.', '(default)'),
  firestoreEmulatorHost: optional('FIRESTORE_EMULATOR_HOST', "`host:port` of Google's Firestore emulator."),
  pubsubEmulatorHost: optional('PUBSUB_EMULATOR_HOST', "`host:port` of Google's Pub/Sub emulator."),
  jobsTopic: text('JOBS_TOPIC', 'The Pub/Sub topic of the doorbells.', 'llm-jobs'),
  submissionsTopic: text(
    'SUBMISSIONS_TOPIC',
    'The Pub/Sub topic to which other services publish jobs.',
    'llm-jobs-submissions',
  ),
  signatureType: choice(
    'FUNCTION_SIGNATURE_TYPE',
    'How functions-framework calls the worker: with requests (`http`) or, behind an Eventarc trigger, with events (`cloudevent`).',
    ['http', 'cloudevent', 'event'],
    'http',
    () => 'http',
  ),
  wakeShards: {
    variable: 'WAKE_SHARDS',
    meaning: "Into how many slices the sweeper's index is cut, 1 to 30. The same for all functions.",
    shownDefault: '1; 16 on Google Cloud',
    read: (raw, environment) => whole('WAKE_SHARDS', '', deployed(environment) ? 16 : 1, 1, 30).read(raw, environment),
  } satisfies Setting<number>,
  logFormat: choice(
    'LOG_FORMAT',
    'Log lines as `text` for people or as `json` for Cloud Logging.',
    ['text', 'json'],
    'text; json on Google Cloud',
    (environment) => (deployed(environment) ? 'json' : 'text'),
  ),
  logLevel: choice(
    'LOG_LEVEL',
    'The least important lines that are logged: `debug`, `info`, `warning`, `error`.',
    ['debug', 'info', 'warning', 'error'],
    'info',
    () => 'info',
  ),
} satisfies Record<string, Setting<unknown>>;

export type Config = { [K in keyof typeof SETTINGS]: ReturnType<(typeof SETTINGS)[K]['read']> } & {
  /** No setting: Cloud Run itself says it. */
  service?: ServiceName | undefined;
};

/** Wrong settings, all of them, in one message for people. */
export class ConfigError extends Error {}

type SettingName = keyof typeof SETTINGS;
const ALL = Object.keys(SETTINGS) as SettingName[];

/** Reads all settings, or those alone. Throws one `ConfigError` that names every wrong one, and where to set it. */
export function readConfig<Name extends SettingName>(
  environment: Environment = process.env,
  names: readonly Name[] = ALL as Name[],
): Pick<Config, Name | 'service'> {
  const wrong: Contradiction[] = [];
  const fault = (variable: string, sentence: string) => void wrong.push({ variable, sentence });
  const entries = names.flatMap((name) => {
    const setting: Setting<unknown> = SETTINGS[name];
    const raw = environment[setting.variable]?.trim();
    try {
      return [[name, setting.read(raw === '' ? undefined : raw, environment)]];
    } catch (error) {
      fault(setting.variable, (error as Error).message);
      return [];
    }
  });
  const read = { ...Object.fromEntries(entries), service: serviceIn(environment) } as Config;
  wrong.push(...contradictionsIn(read, environment));
  if (wrong.length > 0) throw settingsError(wrong, environment);
  return read;
}

/** What is wrong with which settings, in one message for people that says where each is set. */
export function settingsError(wrong: readonly Contradiction[], environment: Environment = process.env): ConfigError {
  const lines = wrong.map(({ variable, sentence }) => `  ${variable} ${sentence}${placeOf(variable, environment)}`);
  return new ConfigError([headingIn(environment), ...lines].join('\n'));
}

/** For the start of a function: wrong settings, of all or of those alone, end its process. */
export function configOrEnd<Name extends SettingName>(names?: readonly Name[]): Pick<Config, Name | 'service'> {
  try {
    return readConfig(process.env, names);
  } catch (error) {
    if (error instanceof ConfigError) return endWith(error);
    throw error;
  }
}

/** Ends this process with what is wrong, and without a stack trace, which functions-framework would print. */
export function endWith({ message }: ConfigError): never {
  // On Google Cloud a line is an entry of the log: all of it is in one.
  console.error(isDeployed() ? JSON.stringify({ severity: 'CRITICAL', message }) : message);
  process.exit(1);
}

/** Does this process run on Google Cloud? */
export const isDeployed = (): boolean => deployed(process.env);
