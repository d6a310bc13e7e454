/** One of the two that are compared: its three functions as processes, and the load that asks it for jobs. */
import { entryPointOf } from '../../../infra/bundle.ts';
import { type FunctionProcess, startFunction } from '../../../infra/function-process.ts';
import { request } from '../../support/http-client.ts';
import type { LoadAsked, LoadTold } from '../roles/load-emulators.ts';
import { cpuSeconds, isCounted, profiling, withChildren } from '../support/processes.ts';
import { startRole } from '../support/role.ts';
import { FLOOR_FUNCTIONS, floorBundleOf } from './bundle.ts';

export const SIDES = ['floor', 'ours'] as const;
export type SideName = (typeof SIDES)[number];
export type MeasuredFunction = (typeof FLOOR_FUNCTIONS)[number];
export const MEASURED_FUNCTIONS: readonly MeasuredFunction[] = FLOOR_FUNCTIONS;

/** What a round found; the processor time of one job is absent where it cannot be counted. */
export type Round = LoadTold & { cpuMs: Record<MeasuredFunction, number> | undefined };

export type Side = {
  run(asked: Pick<LoadAsked, 'jobs' | 'concurrency'>): Promise<Round>;
  stop(): Promise<void>;
};

/** `functionsFirestore`, `functionsPubsub`: what the functions talk to, where that is not the emulators themselves. */
export type Hosts = { firestore: string; pubsub: string; functionsFirestore?: string; functionsPubsub?: string };

const TOPIC = 'bench-jobs';
const BODY = request('gpt-4o-mini', 'What is the difference between a queue and a log? Answer in two sentences.');

/** Starts it, with a project and so with documents of its own. */
export async function startSide(name: SideName, hosts: Hosts, provider: Record<string, string>): Promise<Side> {
  const projectId = `demo-bench-${name}`;
  const environment = {
    ...provider,
    GOOGLE_CLOUD_PROJECT: projectId,
    FIRESTORE_EMULATOR_HOST: hosts.functionsFirestore ?? hosts.firestore,
    PUBSUB_EMULATOR_HOST: hosts.functionsPubsub ?? hosts.pubsub,
    JOBS_TOPIC: TOPIC,
  };
  const start = (one: MeasuredFunction) =>
    startFunction({
      name: one,
      bundle: name === 'floor' ? floorBundleOf(one) : undefined,
      environment: { ...environment, ...profiling(`${name}-${entryPointOf(one)}`) },
      onLine: (line) => {
        if (IS_TROUBLE.test(line)) console.error(`${name}, ${one}: ${line}`);
      },
    });
  const [submit, worker, status] = await Promise.all([start('submit'), start('worker'), start('status')]);
  const functions: Record<MeasuredFunction, FunctionProcess> = { submit, worker, status };
  const load = await startRole('load-emulators', {
    ...{ PROJECT: projectId, PUBSUB_HOST: hosts.pubsub, TOPIC },
    ...{ SUBMIT_URL: submit.url, WORKER_URL: worker.url, STATUS_URL: status.url },
  });

  const used = (one: MeasuredFunction) => cpuSeconds(withChildren(functions[one].child().pid ?? 0));

  return {
    async run(asked) {
      const before = isCounted() ? ofEach(used) : undefined;
      const told = await load.ask<LoadTold>('run', { ...asked, body: BODY } satisfies LoadAsked);
      const cpuMs = before && ofEach((one) => ((used(one) - before[one]) * 1_000) / asked.jobs);
      return { ...told, cpuMs };
    },
    async stop() {
      await load.stop();
      await Promise.all([submit, worker, status].map((started) => started.stop()));
    },
  };
}

/** What functions print when something is wrong; what they log of each job is not shown. */
const IS_TROUBLE = /"severity":"(WARNING|ERROR|CRITICAL)"|^\S+ died|Error/;

function ofEach<T>(of: (one: MeasuredFunction) => T): Record<MeasuredFunction, T> {
  return { submit: of('submit'), worker: of('worker'), status: of('status') };
}
