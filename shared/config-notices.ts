/** Settings of what goes out: webhooks, and the topic of all jobs' events. */
import { deployed, type Environment, hasNoDoors, listed, type Setting, toFlag } from './config-kinds.ts';

/** Known to everybody who reads this file: for receivers on the same machine. */
const LOCAL_SECRET = 'whsec_bGxtLWpvYnMgb24gdGhpcyBtYWNoaW5lLCBubyBzZWNyZXQ=';
/** On this machine, for one person: whoever asks who comes in has others to keep out. */
const isOpen = (environment: Environment) => !deployed(environment) && hasNoDoors(environment);
const SECRETS_MOST = 2;

export const NOTICE_SETTINGS = {
  webhookSecrets: {
    variable: 'WEBHOOK_SECRETS',
    meaning:
      'One or two secrets that sign webhooks, `whsec_` and 24 to 64 bytes in base64, separated by a comma: with two, both sign, so that one can be replaced. Without it no job may have a webhook. The same for all functions.',
    shownDefault: 'a well-known one; none on Google Cloud, or with AUTH_MODE',
    read: (raw, environment) => {
      if (raw === undefined) return isOpen(environment) ? [LOCAL_SECRET] : [];
      const secrets = listed(raw);
      const isOneOrTwo = secrets.length > 0 && secrets.length <= SECRETS_MOST;
      if (isOneOrTwo && secrets.every(isSecret)) return secrets;
      throw new Error(
        'must be one or two secrets, each `whsec_` and 24 to 64 bytes in base64: echo "whsec_$(openssl rand -base64 32)"',
      );
    },
  } satisfies Setting<string[]>,
  webhookHosts: {
    variable: 'WEBHOOK_HOSTS',
    meaning:
      'The hosts that webhooks may go to, separated by commas: `hooks.example.com`, `*.example.com` (every name below). Without it all.',
    shownDefault: '',
    read: (raw) => {
      const hosts = listed(raw).map((host) => host.toLowerCase());
      const wrong = hosts.find((host) => !/^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/.test(host));
      if (wrong === undefined) return hosts;
      throw new Error(`must hold names of hosts, without scheme, port or path, not ${wrong}`);
    },
  } satisfies Setting<string[]>,
  allowPrivateWebhooks: {
    variable: 'ALLOW_PRIVATE_WEBHOOKS',
    meaning:
      '`true`: webhooks may go to plain http and to addresses that are not public, such as this machine. Never on Google Cloud.',
    shownDefault: 'true; false on Google Cloud, or with AUTH_MODE',
    read: (raw, environment) => {
      const isAllowed = toFlag(raw) ?? isOpen(environment);
      if (isAllowed && deployed(environment)) {
        throw new Error('must not be true on Google Cloud: whoever submits a job could reach what only we can reach');
      }
      return isAllowed;
    },
  } satisfies Setting<boolean>,
  eventsTopic: {
    variable: 'EVENTS_TOPIC',
    meaning:
      'The Pub/Sub topic to which the events of all jobs are published; without it none are. The same for all functions. `npm start` has no Pub/Sub, and publishes nothing.',
    shownDefault: '',
    read: (raw, { JOBS_TOPIC, SUBMISSIONS_TOPIC }) => {
      // An event among the submissions would be kept as a rejected one, whose end is an event again, and so on for ever.
      const heard = [JOBS_TOPIC || 'llm-jobs', SUBMISSIONS_TOPIC || 'llm-jobs-submissions'].map(topicOf);
      const topic = raw && topicOf(raw).replace(/-dead-letters$/, '');
      if (topic === undefined || !heard.includes(topic)) return raw;
      throw new Error('must be a topic of its own: our functions hear what is published to this one');
    },
  } satisfies Setting<string | undefined>,
};

/** Its name, also where that is written with the project's: `projects/p/topics/name`. */
function topicOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

function isSecret(secret: string): boolean {
  const [, base64 = ''] = /^whsec_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const bytes = Math.floor((base64.replace(/=+$/, '').length * 3) / 4);
  return base64.length % 4 === 0 && bytes >= 24 && bytes <= 64;
}
