/**
 * The whole service as users run it, embedded and on the emulators, for programs that ask the same of both: the embedded
 * service bundled, its lines going nowhere; the functions each as its own process of its bundle, asked without the local
 * front door, which is no part of what is deployed.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleAll } from '../../../infra/bundle.ts';
import { freePort, stopGroup } from '../../../infra/child-processes.ts';
import { startEmulator } from '../../../infra/emulator-processes.ts';
import { startEmulatorStack } from '../../../infra/emulators.ts';
import { readConfig } from '../../../shared/config.ts';
import { request, submit, warmUp } from '../../support/http-client.ts';
import { startLocalProcess } from '../../support/local-process.ts';
import { bundlePrograms } from '../../support/programs.ts';
import type { Bench } from './bench.ts';
import { emulatorsHere } from './emulators-here.ts';

/** A process that answers, or works; of the embedded service all are the same. */
export type Served = { url: string; pid: number };

export type Stack = {
  submit: Served;
  /** Answers polls, waits, and results. */
  status: Served;
  stream: Served;
  worker: Served;
  stop(): Promise<void>;
};

/** Starts one of a kind, with more environment than the defaults. */
export type Start = (environment: Record<string, string>) => Promise<Stack>;

/** The embedded service, on a file of its own. */
export const startEmbedded: Start = async (environment) => {
  await bundlePrograms();
  const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-bench-'));
  const more = { PORT: String(await freePort()), DATABASE_URL: join(folder, 'jobs.db') };
  const { baseUrl, child } = await startLocalProcess({ ...environment, ...more });
  await warmUp(baseUrl);
  const all = { url: baseUrl, pid: child.pid ?? 0 };
  return {
    ...{ submit: all, status: all, stream: all, worker: all },
    async stop() {
      await stopGroup(child);
      rmSync(folder, { recursive: true });
    },
  };
};

/** What the emulators are shared by: each stack has a project of its own, empty. `undefined`, and left out, without them. */
export async function emulated(
  bench: Bench,
): Promise<{ start: Start; firestoreHost: string; stop(): Promise<void> } | undefined> {
  const commands = emulatorsHere(bench.leaveOut, 'all that runs on the emulators');
  if (!commands) return undefined;
  const [pubsub, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub'),
    startEmulator(commands, 'firestore'),
    bundleAll(),
  ]);
  let stacks = 0;
  return {
    firestoreHost: firestore.host,
    async start(environment) {
      const project = `demo-bench-${stacks++}`;
      const config = readConfig({ ...environment, PORT: '0', GOOGLE_CLOUD_PROJECT: project, CONSOLE: 'false' });
      const hosts = { PUBSUB_EMULATOR_HOST: pubsub.host, FIRESTORE_EMULATOR_HOST: firestore.host };
      const stack = await startEmulatorStack({
        ...{ config, pubsubHost: pubsub.host, firestoreHost: firestore.host, onLine: () => {} },
        environment: { ...environment, ...hosts },
      });
      const served = ({ url, child }: (typeof stack.functions)['submit']) => ({ url, pid: child().pid ?? 0 });
      const { submit, status, stream, worker } = stack.functions;
      await warmUp(stack.baseUrl);
      return {
        ...{ submit: served(submit), status: served(status), stream: served(stream), worker: served(worker) },
        stop: () => stack.stop(),
      };
    },
    async stop() {
      await Promise.all([pubsub.stop(), firestore.stop()]);
    },
  };
}

const SUBMITTED_AT_ONCE = 16;

/** Submits a job for each prompt, many at once, and answers their ids in the same order. */
export async function submitAll({ url }: Served, prompts: readonly string[], stream: boolean): Promise<string[]> {
  const ids: string[] = [];
  let next = 0;
  const some = async () => {
    while (next < prompts.length) {
      const n = next++;
      ids[n] = await submit(url, { ...request('gpt-4o-mini', prompts[n] ?? ''), stream });
    }
  };
  await Promise.all(Array.from({ length: SUBMITTED_AT_ONCE }, some));
  return ids;
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Asks again until it is so; throws when it takes too long. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, patienceMs = 60_000): Promise<void> {
  const endMs = performance.now() + patienceMs;
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`after ${patienceMs / 1_000} s still not: ${what}`);
    await pause(20);
  }
}
