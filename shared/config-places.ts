/** Where each setting is set: what the person who reads that it is wrong has to know next. */
import { deployed, type Environment } from './config-kinds.ts';

/** Kept in Secret Manager on Google Cloud; Terraform is told which version of each holds. */
export const SECRET_VARIABLES: readonly string[] = [
  ...['OPENAI_API_KEY', 'GEMINI_API_KEY', 'ANTHROPIC_API_KEY', 'OPENAI_COMPATIBLE_API_KEY'],
  ...['SIGNING_SECRETS', 'WEBHOOK_SECRETS', 'REDIS_URL'],
];

/** What Terraform makes, and so knows by itself, by the file that makes it. */
export const MADE_VARIABLES: Readonly<Record<string, string>> = {
  GOOGLE_CLOUD_PROJECT: 'infra/functions.tf',
  CONFIGURED_PROVIDERS: 'infra/functions.tf',
  INVOKERS: 'infra/iam.tf',
  INVOKER_AUDIENCES: 'infra/iam.tf',
  FIRESTORE_DATABASE: 'infra/firestore.tf',
  JOBS_TOPIC: 'infra/pubsub.tf',
  SUBMISSIONS_TOPIC: 'infra/pubsub.tf',
  EVENTS_TOPIC: 'infra/pubsub.tf',
  TRUSTED_PROXIES: 'infra/functions.tf',
  CONSOLE: 'infra/functions.tf',
  WORKER_CONCURRENCY: 'infra/functions.tf',
};

/** Of one machine, or said by the platform: on Google Cloud nobody sets them. */
export const LOCAL_VARIABLES: readonly string[] = [
  ...['PORT', 'HOST', 'DATABASE_URL', 'SWEEP_MS'],
  ...['FIRESTORE_EMULATOR_HOST', 'PUBSUB_EMULATOR_HOST', 'FIREBASE_AUTH_EMULATOR_HOST'],
  ...['ALLOW_PRIVATE_WEBHOOKS', 'FUNCTION_SIGNATURE_TYPE', 'LOG_FORMAT'],
];

/** Where to set it on Google Cloud, in brackets after what is wrong; nothing where all are set in one place. */
export function placeOf(variable: string, environment: Environment): string {
  if (!deployed(environment)) return '';
  const file = MADE_VARIABLES[variable];
  if (file !== undefined) return ` (made by ${file}: deploy again)`;
  if (LOCAL_VARIABLES.includes(variable)) return ' (of one machine: leave it out here)';
  const isSecret = SECRET_VARIABLES.includes(variable);
  return isSecret
    ? ' (a version of its secret, named under `secrets` in terraform.tfvars)'
    : ' (under `settings` in terraform.tfvars)';
}

/** How the message begins that lists what is wrong. */
export function headingIn(environment: Environment): string {
  return deployed(environment)
    ? 'Settings are wrong:'
    : 'Settings are wrong; set them in `.env` or in the environment:';
}
