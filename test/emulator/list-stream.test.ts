/** What a followed list costs on Firestore, counted on the wire: one listener, and the documents that it brings. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Principal } from '../../shared/core/access.ts';
import type { ListEvent } from '../../shared/core/list-stream.ts';
import { googleRuntime, type Runtime } from '../../shared/runtime.ts';
import { describeOnEmulators, emulatorConfig, emulators } from '../support/emulators.ts';
import { embeddedIn, type GrpcProxy, startGrpcProxy } from '../support/grpc-proxy.ts';

const SOON = { timeout: 20_000 };
const LIMIT = 5;
/** Of a `ListenResponse`, and the `document` in it. */
const DOCUMENT_CHANGE = 3;
const DOCUMENT = 1;

describeOnEmulators('a followed list', () => {
  const ada: Principal = { tenant: 'default', user: crypto.randomUUID(), scopes: ['jobs:read', 'jobs:write'] };
  let firestore: GrpcProxy;
  let runtime: Runtime;
  /** Another process, whose calls are not counted. */
  let other: Runtime;

  beforeAll(async () => {
    firestore = await startGrpcProxy(emulators().firestore);
    // Nobody runs these jobs.
    const common = { JOBS_TOPIC: 'nobody-listens', GOOGLE_CLOUD_PROJECT: `demo-${ada.user}` };
    other = googleRuntime(emulatorConfig(common));
    runtime = googleRuntime(emulatorConfig({ ...common, FIRESTORE_EMULATOR_HOST: firestore.host }));
  });
  afterAll(async () => {
    await Promise.all([runtime?.close(), other?.close()]);
    await firestore?.close();
  });

  async function submit(): Promise<string> {
    const input = { prompt: 'Hello.' };
    const job = { jobType: 'general_llm_request', model: 'simulated', input, ring: false };
    return (await other.service.submit(ada, job)).job.id;
  }

  async function follow(limit = LIMIT) {
    const leaving = new AbortController();
    const heard: ListEvent[] = [];
    const { events } = await runtime.service.streamList(ada, { limit }, leaving.signal);
    const ended = (async () => {
      for await (const event of events) heard.push(event);
    })();
    const ids = (n: number) => heard[n]?.jobs.map(({ job }) => job.id);
    return { heard, ids, leave: () => leaving.abort(), ended };
  }

  /**
   * How many states of documents were told, each of which is paid for as a read. Where a query has a limit the emulator tells
   * all that it finds again with each change; Firestore tells, and counts, what has changed.
   *
   * @see https://cloud.google.com/firestore/docs/pricing#listens
   */
  function delivered(): number {
    const changes = firestore.listened.flat().flatMap((message) => embeddedIn(message, DOCUMENT_CHANGE));
    return new Set(
      changes.flatMap((change) => embeddedIn(change, DOCUMENT)).map((document) => document.toString('hex')),
    ).size;
  }

  test('is one listener for all its readers, a read for each job that it begins with, and one for each change', async () => {
    const submitted: string[] = [];
    for (let n = 0; n < LIMIT + 3; n++) submitted.unshift(await submit());
    const { heard, ids, leave } = await follow();
    await expect.poll(() => heard.length, SOON).toBe(1);
    expect(ids(0)?.sort()).toEqual(submitted.slice(0, LIMIT).sort());
    // One more than is shown: it says whether the list goes on.
    expect([firestore.targets(), delivered()]).toEqual([1, LIMIT + 1]);

    const changed = submitted.slice(0, 3);
    for (const id of changed) await other.service.cancel(ada, id);
    const cancelled = () =>
      new Set(heard.slice(1).flatMap(({ jobs }) => jobs.filter(({ job }) => job.state === 'cancelled'))).size;
    await expect.poll(cancelled, SOON).toBe(changed.length);
    expect([firestore.targets(), delivered()]).toEqual([1, LIMIT + 1 + changed.length]);

    // One that nobody follows any more, and a new one that pushes the last one out.
    await other.service.cancel(ada, submitted.at(-1) ?? '');
    const newest = await submit();
    await expect.poll(() => heard.at(-1)?.jobs[0]?.job.id, SOON).toBe(newest);
    const second = await follow();
    await expect.poll(() => second.heard.length, SOON).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect([firestore.targets(), delivered()]).toEqual([1, LIMIT + 1 + changed.length + 1]);
    // And nothing was asked for: no document, no query.
    expect(firestore.calls.map(({ method }) => method)).toEqual([]);
    leave();
    second.leave();
  });
});
