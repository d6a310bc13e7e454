/** All functions as processes on the emulators, in a project of their own, with what they logged. */
import { type EmulatedBreakItOptions, emulatedBreakIt } from '../../infra/break-it-emulated.ts';
import { type EmulatorStack, startEmulatorStack } from '../../infra/emulators.ts';
import { readConfig } from '../../shared/config.ts';
import { googleRuntime, type Runtime } from '../../shared/runtime.ts';
import { emulatorConfig, emulators } from './emulators.ts';

export type LogLine = { message: string; job_id?: string; [field: string]: unknown };

export type TestStack = EmulatorStack & {
  /** What every function process is started with. */
  environment: Record<string, string>;
  /** Every line that a process printed, as `<function>: <line>`. */
  lines: string[];
  /** The log lines of this event. */
  logged(event: string): LogLine[];
  /** The same store, and doorbells that nobody hears: what is submitted here, no worker is told of. */
  unheard: Runtime;
};

export const LOCAL = { tenant: 'default', user: 'local', scopes: [] };

/**
 * Starts the stack; `more` adds settings. `hosts`: on other emulators than those that all tests share. With `toBreak` it
 * can be broken.
 */
export async function startTestStack(
  more: Record<string, string>,
  hosts = emulators(),
  workers = 1,
  toBreak?: Pick<EmulatedBreakItOptions, 'signalFirestore'>,
): Promise<TestStack> {
  // A process more, which only its own tests look at.
  const config = emulatorConfig({ CONSOLE: 'false', ...more, PORT: '0' });
  const { pubsub, firestore } = hosts;
  const environment = {
    LOG_FORMAT: 'json',
    LOG_LEVEL: 'debug',
    ...more,
    GOOGLE_CLOUD_PROJECT: config.projectId,
    PUBSUB_EMULATOR_HOST: pubsub,
    FIRESTORE_EMULATOR_HOST: firestore,
  };
  const lines: string[] = [];
  const onLine = (line: string) => void lines.push(line);
  const ground = { config, pubsubHost: pubsub, firestoreHost: firestore };
  const breakable = { config: { ...config, logLevel: 'debug' as const }, pubsubHost: pubsub, ...toBreak };
  const breakIt = toBreak && (await emulatedBreakIt(breakable));
  const stack = await startEmulatorStack({ ...ground, environment, onLine, workers, breakIt });
  const unheard = googleRuntime(readConfig({ ...environment, JOBS_TOPIC: 'nobody-listens', LOG_LEVEL: 'error' }));
  return {
    ...stack,
    environment,
    lines,
    unheard,
    logged: (event) => lines.flatMap((line) => parse(line)).filter(({ message }) => message === event),
    async stop() {
      await unheard.close();
      await stack.stop();
    },
  };
}

function parse(line: string): LogLine[] {
  const json = line.slice(line.indexOf('{'));
  try {
    return [JSON.parse(json) as LogLine];
  } catch {
    return [];
  }
}
