/**
 * `npm run start:emulators`: Google's Pub/Sub and Firestore emulators, and each function as its own functions-framework
 * process, behind one local port. Everything lives in memory and ends with the command.
 */
import { existsSync } from 'node:fs';
import { getConnInfo } from '@hono/node-server/conninfo';
import { Hono } from 'hono';
import { proxy } from 'hono/proxy';
import { type Config, readConfig } from '../shared/config.ts';
import { isOfConsole } from '../shared/http/pages.ts';
import { kindOf } from '../shared/http/request-kind.ts';
import { withBreakIt } from './break-it.ts';
import { type EmulatedBreakIt, emulatedBreakIt } from './break-it-emulated.ts';
import { bundleAll } from './bundle.ts';
import { freePort, isFree } from './child-processes.ts';
import { findEmulators, startEmulator } from './emulator-processes.ts';
import { explain } from './explain.ts';
import { type FunctionProcess, startFunction } from './function-process.ts';
import { listen } from './listen.ts';
import { nextSteps } from './next-steps.ts';
import { isForThisMachine, onlyOwnNames } from './own-names.ts';
import { deadLettersOf, type PushDriver, type PushDriverOptions, startPushDriver } from './push-driver.ts';

export type EmulatorStackOptions = {
  config: Config;
  /** `host:port` of emulators that run already, or of something between them and us. */
  pubsubHost: string;
  firestoreHost: string;
  /** After how many refusals a message becomes a dead letter. */
  deliveriesMost?: number;
  /** More environment for the function processes. */
  environment?: Record<string, string>;
  /** How many worker processes share the messages; one when absent. */
  workers?: number;
  /** What the worker of this number, from 0, has in its environment beside what all have. */
  workerEnvironment?: (worker: number) => Record<string, string>;
  /** The folder of the bundle that the worker of this number runs; absent: what `npm run build` makes. */
  workerBundle?: (worker: number) => string | undefined;
  /** With it, the first worker and what it talks to can be broken; ends with the stack. */
  breakIt?: EmulatedBreakIt | undefined;
  onLine: (line: string) => void;
};

export type EmulatorStack = {
  baseUrl: string;
  functions: Record<'submit' | 'status' | 'stream' | 'worker' | 'deadLetter' | 'sweeper', FunctionProcess> & {
    console: FunctionProcess | undefined;
  };
  /** All workers; `functions.worker` is the first one. */
  workers: readonly FunctionProcess[];
  /** Doorbells to the first worker. */
  driver: PushDriver;
  /** What other services publish, to the first worker. */
  intake: PushDriver;
  /** All of both, to all workers. */
  drivers: readonly PushDriver[];
  stop(): Promise<void>;
};

/** Starts the functions, the push driver, the sweeper's clock and the front door against running emulators. */
export async function startEmulatorStack(options: EmulatorStackOptions): Promise<EmulatorStack> {
  const { config, pubsubHost, firestoreHost, breakIt } = options;
  const onLine = (line: string) => {
    if (breakIt?.take(line) ?? true) options.onLine(line);
  };
  const environment = {
    // Our own front door.
    TRUSTED_PROXIES: '1',
    ...options.environment,
    ...breakIt?.environment,
    GOOGLE_CLOUD_PROJECT: config.projectId,
    PUBSUB_EMULATOR_HOST: pubsubHost,
    FIRESTORE_EMULATOR_HOST: firestoreHost,
  };
  const start = (name: FunctionProcess['name'], called: string = name, more = {}, bundle?: string) =>
    startFunction({
      ...{ name, bundle, environment: { ...environment, ...more } },
      onLine: (line) => onLine(`${called}: ${line}`),
    });
  const startWorker = (n: number) =>
    start('worker', n === 0 ? 'worker' : `worker ${n}`, options.workerEnvironment?.(n), options.workerBundle?.(n));
  const [submit, status, stream, deadLetter, sweeper, console, worker, ...others] = await Promise.all([
    start('submit'),
    start('status', 'status', { CONSOLE: 'false' }),
    start('stream'),
    start('dead-letter'),
    start('sweeper'),
    config.console ? start('console') : undefined,
    startWorker(0),
    ...Array.from({ length: (options.workers ?? 1) - 1 }, (_, n) => startWorker(n + 1)),
  ]);
  const workers = [worker, ...others];
  const { projectId, jobsTopic, submissionsTopic, eventsTopic, workerConcurrency: concurrency } = config;
  const { deliveriesMost } = options;
  const push = (topic: string, pushUrl: string, more: Pick<PushDriverOptions, 'deliveriesMost' | 'topicsBeside'>) =>
    startPushDriver({
      ...{ projectId, emulatorHost: pubsubHost, topic, pushUrl, concurrency, onProblem: onLine },
      ...more,
    });
  const few = {
    ...(deliveriesMost === undefined ? {} : { deliveriesMost }),
    topicsBeside: eventsTopic === undefined ? [] : [eventsTopic],
  };
  const pushTo = ({ url }: FunctionProcess) =>
    Promise.all([push(jobsTopic, url, few), push(submissionsTopic, `${url}/submissions`, few)]);
  const [[driver, intake], ...more] = await Promise.all([pushTo(worker), ...others.map(pushTo)]);
  const drivers = [driver, intake, ...more.flat()];
  const deadLetters = await Promise.all([
    push(deadLettersOf(jobsTopic), deadLetter.url, { deliveriesMost: 'never' }),
    push(deadLettersOf(submissionsTopic), `${deadLetter.url}/submissions`, { deliveriesMost: 'never' }),
  ]);

  // Cloud Scheduler's part.
  const sweeping = setInterval(
    () => void fetch(sweeper.url, { method: 'POST' }).catch(() => undefined),
    config.sweepMs,
  );

  const { fetch: pass } = frontDoor({ submit, status, stream, console }, onLine);
  const breaking = breakIt?.on(worker);
  const answer = breaking ? withBreakIt(pass, breaking.fetch) : pass;
  const { baseUrl, close } = await listen(onlyOwnNames(answer, config), config);

  return {
    baseUrl,
    functions: { submit, status, stream, worker, deadLetter, sweeper, console },
    ...{ workers, driver, intake, drivers },
    async stop() {
      clearInterval(sweeping);
      breaking?.thaw();
      void close();
      await Promise.all([...drivers, ...deadLetters].map((started) => started.stop()));
      const functions = [submit, status, stream, deadLetter, sweeper, console, ...workers];
      await Promise.all(functions.map((started) => started?.stop()));
      await breakIt?.close();
    },
  };
}

/** What a load balancer does: one URL; writes go to one function, streams to another, other reads to a third, the console to its own. */
function frontDoor(
  { submit, status, stream, console }: Pick<EmulatorStack['functions'], 'submit' | 'status' | 'stream' | 'console'>,
  onLine: (line: string) => void,
): Hono {
  const door = new Hono();
  const targets = { writes: submit, reads: status, streams: stream };
  door.all('*', async (context) => {
    const { req } = context;
    const { pathname, search } = new URL(req.url);
    const kind = kindOf(req.method, pathname);
    const { url } = (kind === 'reads' && isOfConsole(pathname) && console) || targets[kind];
    // Up to the answer, a client that leaves ends the call; after that, whoever sends the answer on cancels its body.
    const waiting = new AbortController();
    const leave = () => waiting.abort();
    req.raw.signal.addEventListener('abort', leave);
    // `fetch` cannot send an `Expect`, which curl adds to large bodies.
    const from = [req.header('x-forwarded-for'), getConnInfo(context).remote.address];
    const headers = { ...req.header(), expect: undefined, 'x-forwarded-for': from.filter(Boolean).join(', ') };
    const response = await proxy(`${url}${pathname}${search}`, { ...req, headers, signal: waiting.signal });
    req.raw.signal.removeEventListener('abort', leave);
    return response;
  });
  door.onError((error, context) => {
    if (context.req.raw.signal.aborted) return context.body(null);
    onLine(`front door: ${context.req.method} ${context.req.path}: ${String(error.cause ?? error)}`);
    const body = { success: false, error: 'The function did not answer.', code: 'unavailable' };
    return context.json(body, 503, { 'Retry-After': '1' });
  });
  return door;
}

async function main(): Promise<void> {
  // Whoever reads the lines may go (`| head`).
  process.stdout.on('error', () => {});
  if (existsSync('.env')) process.loadEnvFile('.env');
  // Without it the clients look for Google's metadata server, and warn.
  process.env.METADATA_SERVER_DETECTION ??= 'none';
  const config = readConfig();
  const commands = findEmulators();
  let stack: EmulatorStack | undefined;
  // What is left when this process exits is killed with it; the stack is asked first, so that it can say goodbye.
  let stopping = false;
  const stop = () => {
    if (stopping) process.exit(130);
    stopping = true;
    void (stack?.stop() ?? Promise.resolve()).finally(() => process.exit(0));
  };
  process.on('SIGINT', stop).on('SIGTERM', stop).on('SIGHUP', stop);

  console.log('Starting the emulators and bundling the functions…');
  const [pubsub, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub', await preferredPort(config.pubsubEmulatorHost, 8085)),
    startEmulator(commands, 'firestore', await preferredPort(config.firestoreEmulatorHost, 8086)),
    bundleAll(),
  ]);
  const onLine = (line: string) => console.log(line);
  const hostsOf = { config, pubsubHost: pubsub.host, firestoreHost: firestore.host };
  const breakIt = isForThisMachine(config)
    ? await emulatedBreakIt({ ...hostsOf, signalFirestore: firestore.signal })
    : undefined;
  stack = await startEmulatorStack({ ...hostsOf, breakIt, onLine });
  const hosts = `PUBSUB_EMULATOR_HOST=${pubsub.host} FIRESTORE_EMULATOR_HOST=${firestore.host}`;
  console.log(nextSteps(stack.baseUrl, `jobs are kept in memory; ${hosts}`, config));
}

/** The port that a setting names, or the usual one if nobody has it, or any. */
async function preferredPort(host: string | undefined, usual: number): Promise<number> {
  if (host) return Number(host.split(':').at(-1));
  return (await isFree(usual)) ? usual : freePort();
}

if (process.argv[1] === import.meta.filename) {
  main().catch((error: unknown) => {
    console.error(explain(error));
    process.exit(1);
  });
}
