/** What goes over the wire to the emulators, counted in what Google bills: documents, queries and messages. */
import { PubSub } from '@google-cloud/pubsub';
import { type Operations, sumOf } from '../../infra/operations.ts';
import type { JobKey } from '../../shared/core/job.ts';
import { embeddedIn, type GrpcProxy, type ProxiedCall, startGrpcProxy, varintsIn } from './grpc-proxy.ts';

export type Hosts = { firestore: string; pubsub: string };

export type Counted = {
  operations: Operations;
  /** What its queries cost: a read for each document that one found, and for each that found none. */
  queryReads: number;
  /** Documents that listeners were told of as new or changed, each of which is a read. */
  told: number;
  /** Documents that were deleted by a request. */
  deletes: number;
  /** Documents of jobs that are new, and not deleted: each goes by its time to live, which is a delete. */
  kept: number;
};

export type CountedWire = {
  firestore: GrpcProxy;
  pubsub: GrpcProxy;
  /** Settings that lead a process through the proxies. */
  environment: { FIRESTORE_EMULATOR_HOST: string; PUBSUB_EMULATOR_HOST: string };
  /** All since the last time. */
  take(): Counted;
  /** How many commits were answered since then. */
  committed(): number;
  /** The jobs whose doorbells were published since the last time that they were asked for, in that order. */
  rung(): JobKey[];
  close(): Promise<void>;
};

/** Proxies before both emulators. */
export async function startCountedWire(hosts: Hosts): Promise<CountedWire> {
  const [firestore, pubsub] = await Promise.all([startGrpcProxy(hosts.firestore), startGrpcProxy(hosts.pubsub)]);
  const known = new Set<string>();
  const toldTo = new Map<Buffer[], Set<string>>();
  const rung: JobKey[] = [];
  let counted = nothing();
  let committed = 0;

  function collect(): void {
    for (const call of firestore.calls.splice(0)) countCall(call);
    for (const { method, messages } of firestore.answers.splice(0)) {
      if (method === 'Commit') committed += 1;
      if (method === 'RunQuery')
        counted.queryReads += Math.max(
          1,
          sum(messages, (message) => embeddedIn(message, 1).length),
        );
      if (method === 'RunAggregationQuery') counted.queryReads += 1;
    }
    for (const told of firestore.listened) for (const message of told.splice(0)) countTold(told, message);
    for (const { method, message } of pubsub.calls.splice(0)) {
      const messages = method === 'Publish' ? embeddedIn(message, 2) : [];
      add({ messages: messages.length });
      for (const one of messages) {
        const doorbell = JSON.parse(embeddedIn(one, 1)[0]?.toString() || '{}') as { tenant?: string; job_id?: string };
        if (doorbell.tenant && doorbell.job_id) rung.push({ tenant: doorbell.tenant, id: doorbell.job_id });
      }
    }
  }

  /**
   * Firestore tells a listener what has changed, and bills that. The emulator tells all that a query finds again with each
   * change: what a listener knew is not counted.
   */
  function countTold(listener: Buffer[], message: Buffer): void {
    const knows = toldTo.get(listener) ?? new Set();
    toldTo.set(listener, knows);
    for (const change of embeddedIn(message, 3)) {
      const [document = Buffer.alloc(0)] = embeddedIn(change, 1);
      // Its name, and the time of its last change.
      const state = [1, 4].map((field) => embeddedIn(document, field)[0]?.toString('hex')).join();
      // The ids of the targets that it is told to.
      for (const id of varintsIn(embeddedIn(change, 5)[0] ?? Buffer.alloc(0))) {
        const one = `${id} ${state}`;
        if (!knows.has(one)) counted.told += 1;
        knows.add(one);
      }
    }
    // What is no more found because it has changed.
    counted.told += embeddedIn(message, 6).length;
  }

  function add(operations: Partial<Operations>): void {
    const one = { writes: 0, reads: 0, queries: 0, messages: 0, ...operations };
    counted.operations = sumOf([
      [counted.operations, 1],
      [one, 1],
    ]);
  }

  function countCall({ method, message }: ProxiedCall): void {
    if (method === 'BatchGetDocuments') add({ reads: embeddedIn(message, 2).length });
    if (method === 'RunQuery' || method === 'RunAggregationQuery') add({ queries: 1 });
    if (method !== 'Commit') return;
    for (const write of embeddedIn(message, 2)) {
      const [deleted] = embeddedIn(write, 2);
      if (deleted) {
        counted.deletes += 1;
        if (known.delete(deleted.toString())) counted.kept -= 1;
        continue;
      }
      add({ writes: 1 });
      const name = embeddedIn(embeddedIn(write, 1)[0] ?? Buffer.alloc(0), 1)[0]?.toString() ?? '';
      if (!/\/documents\/(jobs|leaders|cancels)\//.test(name) || known.has(name)) continue;
      known.add(name);
      counted.kept += 1;
    }
  }

  return {
    firestore,
    pubsub,
    environment: { FIRESTORE_EMULATOR_HOST: firestore.host, PUBSUB_EMULATOR_HOST: pubsub.host },
    take() {
      collect();
      const taken = counted;
      counted = nothing();
      committed = 0;
      return taken;
    },
    committed() {
      collect();
      return committed;
    },
    rung() {
      collect();
      return rung.splice(0);
    },
    async close() {
      await Promise.all([firestore.close(), pubsub.close()]);
    },
  };
}

function nothing(): Counted {
  return { operations: sumOf([]), queryReads: 0, told: 0, deletes: 0, kept: 0 };
}

function sum<T>(values: readonly T[], of: (value: T) => number): number {
  return values.reduce((total, value) => total + of(value), 0);
}

/** Is it a call of this method? */
export function named(method: string): (call: ProxiedCall) => boolean {
  return (call) => call.method === method;
}

/** Makes a topic in a project of the emulator. */
export async function createTopic(host: string, projectId: string, topic: string): Promise<void> {
  const client = new PubSub({ projectId, apiEndpoint: host, emulatorMode: true });
  await client.createTopic(topic);
  await client.close();
}
