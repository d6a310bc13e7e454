/** All functions on the emulators, somebody who subscribed to the events of all jobs, and workers that are killed while they tell. */
import { setTimeout as pause } from 'node:timers/promises';
import { PubSub } from '@google-cloud/pubsub';
import { chance } from '../simulation/random.ts';
import { startTestStack, type TestStack } from './emulator-stack.ts';
import { emulators } from './emulators.ts';
import type { Published } from './told-check.ts';
import { type HookEvent, type Manner, type Receiver, startReceiver } from './webhook-receiver.ts';

export const WORKERS = 3;
const TOPIC = 'llm-jobs-events';
export const SECRETS = ['one', 'two'].map(
  (word) => `whsec_${Buffer.from(`a secret of a receiver: ${word}`).toString('base64')}`,
);
/** Of the events that come for the first time. */
const SHARES = { refuse: 0.04, close: 0.03, dawdle: 0.02, hang: 0.01 } as const;

type Moment = 'receipt' | 'answer';

/** So long a kill waits for a worker that has something in its hands. */
const LOOKS_MOST = 100;
const LOOK_MS = 50;

export type ToldWorld = {
  stack: TestStack;
  receiver: Receiver;
  published: readonly Published[];
  /** Kills a worker, if it can in the middle of attempts; answers how many those were. */
  kill(worker: number): Promise<number>;
  /** Kills all workers at the next event of an end: before it is answered, or when it was. */
  killAllAt(moment: Moment): Promise<HookEvent>;
  close(): Promise<void>;
};

export async function openToldWorld(): Promise<ToldWorld> {
  let killing: { moment: Moment; done: (event: HookEvent) => void } | undefined;
  /** Whether it killed them. */
  function killAt(moment: Moment, event: HookEvent): boolean {
    if (killing?.moment !== moment || event.type === 'job.started') return false;
    const { done } = killing;
    killing = undefined;
    for (const worker of stack.workers) worker.child().kill('SIGKILL');
    done(event);
    return true;
  }
  const receiver = await startReceiver({
    secrets: SECRETS,
    mannerOf: (event, times) => (killAt('receipt', event) ? 'hang' : mannerOf(event.id, times)),
    onAnswered: (event) => void killAt('answer', event),
  });
  const environment = {
    ...{ EVENTS_TOPIC: TOPIC, WEBHOOK_SECRETS: SECRETS.join(','), SURFACES: 'llm-jobs' },
    LOG_LEVEL: 'info',
    ...{ LEASE_MS: '15000', SIMULATED_MS: '300' },
  };
  const stack = await startTestStack(environment, emulators(), WORKERS);
  const client = new PubSub({
    projectId: stack.environment.GOOGLE_CLOUD_PROJECT ?? '',
    ...{ apiEndpoint: emulators().pubsub, emulatorMode: true },
  });
  const published: Published[] = [];
  const [subscription] = await client.createSubscription(TOPIC, 'everything');
  subscription.on('message', (message) => {
    const { attributes } = message;
    published.push({ id: attributes.event_id ?? '', body: message.data.toString(), attributes });
    message.ack();
  });

  const held = new Map<string, Set<string>>();
  let linesRead = 0;
  /** How many jobs' attempts this process began and did not end. */
  function heldBy(worker: number): number {
    for (const line of stack.lines.slice(linesRead)) {
      const [, name = '', text = ''] = /^(worker ?\d*): (.*)/.exec(line) ?? [];
      const [, message, id = ''] = /"message":"([^"]+)".*"job_id":"([^"]+)"/.exec(text) ?? [];
      if (text.includes(' died (')) held.delete(name);
      if (message === 'attempt-started') held.set(name, (held.get(name) ?? new Set()).add(id));
      if (message === 'job-finished' || message === 'attempt-failed') held.get(name)?.delete(id);
    }
    linesRead = stack.lines.length;
    return held.get(worker === 0 ? 'worker' : `worker ${worker}`)?.size ?? 0;
  }

  async function kill(worker: number): Promise<number> {
    for (let looks = 0; looks < LOOKS_MOST && heldBy(worker) === 0; looks++) await pause(LOOK_MS);
    const jobs = heldBy(worker);
    stack.workers[worker]?.child().kill('SIGKILL');
    return jobs;
  }

  return {
    ...{ stack, receiver, published, kill },
    killAllAt: (moment) =>
      new Promise((done) => {
        killing = { moment, done };
      }),
    async close() {
      await subscription.close();
      await client.close();
      await stack.stop();
      await receiver.stop();
    },
  };
}

/** What goes wrong with an event is always the same, and goes wrong once. */
function mannerOf(id: string, times: number): Manner {
  let draw = chance(Number.parseInt(id.slice(-8), 16)).next();
  if (times > 0) return 'answer';
  for (const [manner, share] of Object.entries(SHARES) as [keyof typeof SHARES, number][]) {
    if (draw < share) return manner;
    draw -= share;
  }
  return 'answer';
}
