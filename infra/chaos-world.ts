/**
 * The world of a chaos run: emulators of its own (or others that run already), every function as a process, several
 * workers, and a wire that can be cut or held between each worker and the store, between the other functions and the
 * store, and before the queue.
 */
import { PubSub } from '@google-cloud/pubsub';
import { PUBSUB_CHANNEL } from '../shared/adapters/pubsub-client.ts';
import { type Config, readConfig } from '../shared/config.ts';
import type { Principal } from '../shared/core/access.ts';
import { googleRuntime, type Runtime } from '../shared/runtime.ts';
import type { Chance } from '../test/simulation/random.ts';
import { type Receiver, startReceiver } from '../test/support/webhook-receiver.ts';
import { bundleAll } from './bundle.ts';
import { type LogWatch, logWatch } from './chaos-log.ts';
import { CHAOS_KEY, type ChaosProvider, startChaosProvider, type Temper } from './chaos-provider.ts';
import { type Emulator, findEmulators, startEmulator } from './emulator-processes.ts';
import { type EmulatorStack, startEmulatorStack } from './emulators.ts';
import type { FunctionProcess } from './function-process.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

export const LEASE_MS = 2_000;
/** Who everybody is, without credentials. */
export const LOCAL: Principal = { tenant: 'default', user: 'local', scopes: ['jobs:read', 'jobs:write'] };
const SWEEP_MS = 1_000;
const DRAIN_MS = 500;
/** Messages that one worker is given at a time. */
const CONCURRENCY = 12;
const PUBLISH_MS = 3_000;
const HOOK_SECRET = 'whsec_Y2hhb3M6IGEgc2VjcmV0IG9mIG5vYm9keQ==';
/** So many of the first tries to tell an event are answered 500. */
const HOOK_FAILURES = 0.05;

export type ChaosWorker = {
  number: number;
  process: FunctionProcess;
  /** To the store. */
  wire: TcpProxy;
};

export type ChaosOptions = {
  luck: Chance;
  temper: Temper;
  workers: number;
  /** The bundle that the worker of this number runs; absent: that of this version. */
  workerBundle?: (worker: number) => string | undefined;
  /** Emulators that others use, too: they are neither frozen nor started again. */
  emulators?: { pubsub: string; firestore: string };
  /** Gets every line that a process prints, as `<process>: <line>`. */
  onLine?: (line: string) => void;
};

export type ChaosWorld = {
  baseUrl: string;
  config: Config;
  provider: ChaosProvider;
  /** Of the webhooks of all jobs that have one. */
  receiver: Receiver;
  workers: readonly ChaosWorker[];
  functions: EmulatorStack['functions'];
  /** From the functions other than workers to the store. */
  wire: TcpProxy;
  /** From everybody to the queue. */
  queueWire: TcpProxy;
  /** Emulators that are ours. */
  own: { firestore: Emulator; restartPubsub(): Promise<void> } | undefined;
  /** Publishes as another service would, once; answers whether it is known to be published. */
  publish(topic: string, json: object): Promise<boolean>;
  log: LogWatch;
  redeliveries(): number;
  /** The same store, by a wire that nobody cuts. */
  runtime: Runtime;
  close(): Promise<void>;
};

export async function openChaosWorld({ luck, temper, workers, emulators, ...more }: ChaosOptions): Promise<ChaosWorld> {
  // Without it Google's clients look for the metadata server, and warn.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const closing: (() => Promise<unknown> | unknown)[] = [];
  /** The last that was opened is closed first. */
  const close = async () => {
    for (const end of closing.splice(0).reverse()) await end();
  };
  const opened = <T>(thing: T, end: (thing: T) => unknown): T => {
    closing.push(() => end(thing));
    return thing;
  };
  try {
    const ground = emulators
      ? { hosts: emulators, own: undefined }
      : opened(await ownEmulators(), ({ stop }) => stop());
    const { pubsub, firestore } = ground.hosts;
    const wires = await Promise.all(Array.from({ length: workers + 1 }, () => startTcpProxy(firestore)));
    closing.push(() => Promise.all(wires.map((wire) => wire.close())));
    const [wire, ...workerWires] = wires as [TcpProxy, ...TcpProxy[]];
    const queueWire = opened(await startTcpProxy(pubsub), (proxy) => proxy.close());
    const provider = opened(await startChaosProvider(luck.fork(), temper), ({ stop }) => stop());
    const receiver = opened(
      await startReceiver({
        secrets: [HOOK_SECRET],
        mannerOf: (_, times) => (times === 0 && luck.happens(HOOK_FAILURES) ? 'refuse' : 'answer'),
      }),
      ({ stop }) => stop(),
    );
    const log = logWatch();
    const onLine = (line: string) => {
      log.take(line);
      more.onLine?.(line);
    };
    const config = readConfig({
      ...{
        GOOGLE_CLOUD_PROJECT: `demo-chaos-${crypto.randomUUID().slice(0, 8)}`,
        PORT: '0',
        LOG_LEVEL: 'error',
        CONSOLE: 'false',
      },
      ...{ FIRESTORE_EMULATOR_HOST: firestore, PUBSUB_EMULATOR_HOST: pubsub },
      ...{ SWEEP_MS: String(SWEEP_MS), WORKER_CONCURRENCY: String(CONCURRENCY) },
    });
    const stack = opened(
      await startEmulatorStack({
        ...{ config, workers, pubsubHost: queueWire.host, firestoreHost: wire.host, onLine },
        environment: {
          ...{ LEASE_MS: String(LEASE_MS), DRAIN_MS: String(DRAIN_MS), AUTH_MODE: 'none', SURFACES: 'llm-jobs' },
          ...{ LOG_FORMAT: 'json', LOG_LEVEL: 'debug', OPENAI_API_KEY: CHAOS_KEY, REDIS_URL: '' },
          WEBHOOK_SECRETS: HOOK_SECRET,
        },
        workerEnvironment: (n) => ({
          FIRESTORE_EMULATOR_HOST: workerWires[n]?.host ?? '',
          OPENAI_BASE_URL: provider.baseUrlFor(n),
        }),
        ...(more.workerBundle ? { workerBundle: more.workerBundle } : {}),
      }),
      ({ stop }) => stop(),
    );
    const { projectId } = config;
    const runtime = opened(googleRuntime(config), (reading) => reading.close());
    const host = { apiEndpoint: queueWire.host, emulatorMode: true };
    const publisher = opened(new PubSub({ projectId, ...host, ...PUBSUB_CHANNEL }), (client) => client.close());
    const once = { batching: { maxMessages: 1 }, gaxOpts: { timeout: PUBLISH_MS, retry: { retryCodes: [] } as never } };
    return {
      ...{ baseUrl: stack.baseUrl, functions: stack.functions, own: ground.own },
      ...{ config, provider, receiver, wire, queueWire, log, runtime, close },
      publish: (topic, json) =>
        publisher
          .topic(topic, once)
          .publishMessage({ json })
          .then(
            () => true,
            () => false,
          ),
      workers: stack.workers.map((process, number) => ({ number, process, wire: workerWires[number] as TcpProxy })),
      redeliveries: () => stack.drivers.reduce((sum, driver) => sum + driver.counts().redelivered, 0),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Emulators that nobody else uses, and the functions' bundles. */
async function ownEmulators() {
  const commands = findEmulators();
  const [first, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub'),
    startEmulator(commands, 'firestore'),
    bundleAll({ sourcemap: false }),
  ]);
  let pubsub = first;
  const port = Number(first.host.split(':').at(-1));
  return {
    hosts: { pubsub: first.host, firestore: firestore.host },
    own: {
      firestore,
      async restartPubsub() {
        await pubsub.stop();
        pubsub = await startEmulator(commands, 'pubsub', port);
      },
    },
    async stop() {
      await Promise.all([pubsub.stop(), firestore.stop()]);
    },
  };
}
