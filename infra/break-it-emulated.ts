/** `/break-it/` on the emulators: its provider, and what the functions' lines say of it. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pubsubClient } from '../shared/adapters/pubsub-client.ts';
import { pubsubJobQueue } from '../shared/adapters/pubsub-job-queue.ts';
import type { Config } from '../shared/config.ts';
import { allAvailable, type BreakIt, breakIt, whyNoModel } from './break-it.ts';
import { breakItCounts, countedAs } from './break-it-counts.ts';
import { BREAK_IT_MODEL, breakItProvider } from './break-it-provider.ts';
import { signalGroup } from './child-processes.ts';
import type { FunctionProcess } from './function-process.ts';
import { factsOfLine, isShown } from './log-lines.ts';

export type EmulatedBreakItOptions = {
  config: Config;
  pubsubHost: string;
  /** Signals the Firestore emulator, where it is ours to stop. */
  signalFirestore?: ((signal: NodeJS.Signals) => void) | undefined;
};

export type EmulatedBreakIt = {
  /** For the functions. They say more than people want to read, */
  environment: Record<string, string>;
  /** of which this counts what counts; is the line one for people? */
  take(line: string): boolean;
  /** Answers, once there is a worker. */
  on(worker: FunctionProcess): BreakIt;
  close(): Promise<void>;
};

const PUBLISH_MS = 5_000;

/** Starts the provider. */
export async function emulatedBreakIt(options: EmulatedBreakItOptions): Promise<EmulatedBreakIt> {
  const { config, pubsubHost, signalFirestore } = options;
  const { projectId, jobsTopic, logLevel } = config;
  const counts = breakItCounts();
  const provider = createServer(breakItProvider(counts));
  await new Promise<void>((resolve) => provider.listen(0, '127.0.0.1', resolve));
  const { port } = provider.address() as AddressInfo;
  const pubsub = pubsubClient({ projectId, emulatorHost: pubsubHost, deadlineMs: PUBLISH_MS });
  const queue = pubsubJobQueue(pubsub, jobsTopic);
  const whyNot = whyNoModel(config);
  const available = allAvailable(whyNot);
  if (available.freeze_store === true && !signalFirestore)
    available.freeze_store = 'The Firestore emulator was not started by this command.';
  const model = {
    OPENAI_COMPATIBLE_BASE_URL: `http://127.0.0.1:${port}/v1`,
    OPENAI_COMPATIBLE_MODELS: BREAK_IT_MODEL,
  };
  return {
    environment: { ...(whyNot === undefined ? model : {}), LOG_LEVEL: 'debug' },
    take(line) {
      const said = factsOfLine(line);
      const counter = said && countedAs(said.event, said.why);
      if (counter) counts.add(counter);
      return said === undefined || isShown(said, logLevel);
    },
    on: (worker) =>
      breakIt({
        counts,
        available: () => available,
        deeds: {
          killWorker() {
            signalGroup(worker.child(), 'SIGKILL');
            counts.add('kills');
          },
          async deliver(id, times) {
            const rings = Array.from({ length: times }, () => queue.publish({ tenant: 'default', id }));
            const rung = await Promise.allSettled(rings);
            counts.add('deliveries', rung.filter(({ status }) => status === 'fulfilled').length);
            await Promise.all(rings);
          },
          setFrozen: (frozen) => signalFirestore?.(frozen ? 'SIGSTOP' : 'SIGCONT'),
        },
      }),
    async close() {
      provider.closeAllConnections();
      provider.close();
      await pubsub.close();
    },
  };
}
