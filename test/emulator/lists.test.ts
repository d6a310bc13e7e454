/** Lists and batches on Firestore: what a page costs, by what goes over the wire, and 10,000 jobs while more are added. */
import { PubSub } from '@google-cloud/pubsub';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { publicApp } from '../../functions/surfaces/mount.ts';
import { firestoreDatabase } from '../../shared/adapters/firestore-database.ts';
import { toFields } from '../../shared/adapters/firestore-document.ts';
import type { Config } from '../../shared/config.ts';
import type { JobPosition } from '../../shared/core/ports.ts';
import { EVERYTHING } from '../../shared/http/request-kind.ts';
import { googleRuntime, type Runtime } from '../../shared/runtime.ts';
import { sampleJob } from '../contracts/job-store.ts';
import { BATCH, callsOf, cancelOf, general, LIST, SUBMIT, type TestApp } from '../support/app.ts';
import { LOCAL } from '../support/emulator-stack.ts';
import { describeOnEmulators, emulatorConfig, emulators } from '../support/emulators.ts';
import { countField, type GrpcProxy, type ProxiedAnswer, startGrpcProxy } from '../support/grpc-proxy.ts';
import { batchSuite } from '../surface/batch-suite.ts';

const JOBS = process.env.LONG ? 10_000 : 2_000;
/** Firestore takes no more writes in one commit. */
const WRITES_MOST = 500;
/** Fields of `google.firestore.v1.RunQueryResponse`, … */
const DOCUMENT = 1;
const SKIPPED_RESULTS = 4;
/** … and of `BatchGetDocumentsResponse`. */
const FOUND = 1;

describeOnEmulators('on Firestore', () => {
  batchSuite('on Firestore', async () => {
    const config = emulatorConfig();
    const runtime = await openRuntime(config);
    return { ...callsOf(publicApp(runtime, EVERYTHING)), close: runtime.close };
  });

  let firestore: GrpcProxy;
  let runtime: Runtime;
  let api: Pick<TestApp, 'get' | 'post'>;
  const made: string[] = [];

  beforeAll(async () => {
    firestore = await startGrpcProxy(emulators().firestore);
    const config = emulatorConfig({ FIRESTORE_EMULATOR_HOST: firestore.host });
    runtime = await openRuntime(config);
    api = callsOf(publicApp(runtime, EVERYTHING));
    made.push(...(await createJobs(config)));
  }, 90_000);
  afterAll(async () => {
    await runtime?.close();
    await firestore?.close();
  });

  /** What went over the wire since the last time: the calls, and the documents that they were answered with. */
  function documents() {
    const calls = firestore.calls.splice(0).map(({ method }) => method);
    const answers = firestore.answers.splice(0);
    const count = ({ messages }: ProxiedAnswer, field: number) =>
      messages.filter((message) => countField(message, field) > 0).length;
    const of = (method: string) => answers.filter((answer) => answer.method === method);
    return {
      calls,
      queries: of('RunQuery').map((one) => ({ read: count(one, DOCUMENT), skipped: count(one, SKIPPED_RESULTS) })),
      found: of('BatchGetDocuments').reduce((sum, answer) => sum + count(answer, FOUND), 0),
    };
  }

  const idsIn = (body: { jobs: { job_id: string }[] }) => body.jobs.map((view) => view.job_id);
  const add = async () => (await api.post(SUBMIT, general({ prompt: 'added' }))).body.job_id as string;

  test(`${JOBS} jobs from place to place: no gap, no repeat while more are added, limit + 1 reads at any depth`, async () => {
    const limit = 500;
    const seen: string[] = [];
    const costs: unknown[] = [];
    const adding: Promise<string>[] = [];
    let after: JobPosition | undefined;
    documents();
    do {
      const page = await runtime.service.list(LOCAL, { after, limit, offset: 0 });
      costs.push(documents().queries);
      seen.push(...page.jobs.map(({ job }) => job.id));
      after = page.next;
      // Stored while the next page is read.
      adding.push(add());
    } while (after);
    const pages = JOBS / limit;
    const whole = [{ read: limit + 1, skipped: 0 }];
    expect(costs).toEqual([...Array(pages - 1).fill(whole), [{ read: limit, skipped: 0 }]]);
    expect(seen).toEqual(made);
    const added = await Promise.all(adding);
    expect(added).toHaveLength(pages);
    const { body } = await api.get(`${LIST}?limit=${pages}`);
    expect(new Set(idsIn(body))).toEqual(new Set(added));
  });

  test('a tenth of them by tag and cursor over HTTP: the same', async () => {
    const tenth = made.filter((_, index) => index % 10 === 0);
    const seen: string[] = [];
    const costs: unknown[] = [];
    documents();
    for (let cursor = ''; ; ) {
      const { status, body } = await api.get(`${LIST}?limit=100&tag=tenth&status=pending${cursor}`);
      expect(status).toBe(200);
      costs.push(documents().queries);
      seen.push(...idsIn(body));
      if (body.next_cursor === undefined) break;
      cursor = `&cursor=${body.next_cursor}`;
    }
    const pages = JOBS / 10 / 100;
    expect(costs).toEqual([...Array(pages - 1).fill([{ read: 101, skipped: 0 }]), [{ read: 100, skipped: 0 }]]);
    expect(seen).toEqual(tenth);
  });

  test('a page by offset costs what it skips; jobs by their ids a read each; those that are over none again', async () => {
    documents();
    await api.get(`${LIST}?limit=10&offset=1000`);
    expect(documents().queries).toEqual([{ read: 11, skipped: expect.toSatisfy((answers) => answers > 0) }]);
    const asked = made.slice(0, 50);
    expect(idsIn((await api.get(`${LIST}?ids=${asked.join(',')}`)).body)).toEqual(asked);
    const cost = documents();
    expect([cost.calls, cost.found]).toEqual([['BatchGetDocuments'], 50]);

    for (const id of asked.slice(0, 20)) await api.post(cancelOf(id), {});
    await api.get(`${LIST}?ids=${asked.join(',')}`);
    documents();
    expect(idsIn((await api.get(`${LIST}?ids=${asked.join(',')}`)).body)).toEqual(asked);
    expect(documents().found).toBe(30);
  });

  test('the view of a batch is one count for each state, and reads no document', async () => {
    const { body } = await api.post(BATCH, { jobs: Array.from({ length: 60 }, (_, n) => general({ prompt: `${n}` })) });
    documents();
    expect((await api.get(body.urls.status)).body).toMatchObject({ total: 60, counts: { pending: 60 } });
    expect(documents()).toEqual({ calls: Array(5).fill('RunAggregationQuery'), queries: [], found: 0 });
  });
});

async function openRuntime(config: Config): Promise<Runtime> {
  const client = new PubSub({ projectId: config.projectId, apiEndpoint: emulators().pubsub, emulatorMode: true });
  await client.createTopic(config.jobsTopic);
  await client.close();
  return googleRuntime(config);
}

/** Stores the local user's jobs of the last hours, several in each instant, and answers their ids, the newest first. */
async function createJobs({ projectId, firestoreDatabase: databaseId }: Config): Promise<string[]> {
  const emulatorHost = emulators().firestore;
  const database = firestoreDatabase({ projectId, databaseId, emulatorHost, deadlineMs: 60_000 });
  const startMs = Date.now() - 60_000;
  const jobs = Array.from({ length: JOBS }, (_, index) =>
    sampleJob({ tenant: 'default', user: 'local', createdAt: startMs - Math.floor(index / 7) * 1_000 }),
  ).sort((left, right) => right.createdAt - left.createdAt || (left.id < right.id ? 1 : -1));
  const writes = jobs.map((job, index) => {
    const fields = toFields({ ...job, ...(index % 10 === 0 ? { tags: ['tenth'] } : {}), input: { prompt: 'x' } });
    return { update: { name: `${database.root}/jobs/default~${job.id}`, fields } };
  });
  for (let from = 0; from < JOBS; from += WRITES_MOST) await database.commit(writes.slice(from, from + WRITES_MOST));
  await database.close();
  return jobs.map(({ id }) => id);
}
