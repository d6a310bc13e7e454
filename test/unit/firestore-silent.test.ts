/** A Firestore that takes connections and never answers: every method gives up after its deadline, and none tries again. */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sampleJob } from '../contracts/job-store.ts';
import { PART_CALLS } from '../contracts/part-store.ts';
import { firestoreStores, type Stores } from '../support/stores.ts';

const DEADLINE_MS = 300;
const sockets = new Set<Socket>();
let server: Server;
let stores: Stores;

beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const emulatorHost = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  stores = firestoreStores({ projectId: 'demo-silent', emulatorHost, deadlineMs: DEADLINE_MS });
});
afterAll(async () => {
  await stores.close();
  for (const socket of sockets) socket.destroy();
  server.close();
});

const job = sampleJob();
const BATCH = { tenant: 't', batchId: 'b' };
const CALLS: [string, (on: Stores) => Promise<unknown>][] = [
  ['create', ({ store }) => store.create(job, 1)],
  ['get', ({ store }) => store.get(job)],
  ['getWithInput', ({ store }) => store.getWithInput(job)],
  ['update', ({ store }) => store.update(job, '1.0', { version: 2 })],
  ['list', ({ store }) => store.list({ tenant: 't', limit: 1, offset: 0 })],
  ['getMany', ({ store }) => store.getMany([job, sampleJob()])],
  ['inputs', ({ store }) => store.inputs([job, sampleJob()])],
  ['countByState', ({ store }) => store.countByState(BATCH, 0)],
  ['arms', ({ store }) => store.arms({ tenant: 't' }, 3)],
  ['due', ({ store }) => store.due(0, 1)],
];

const ofParts = PART_CALLS.map(([name, call]): (typeof CALLS)[number] => [
  `parts: ${name}`,
  ({ parts }) => call(parts),
]);

test.each([...CALLS, ...ofParts])('%s', async (_, call) => {
  const startedMs = performance.now();
  await expect(call(stores)).rejects.toMatchObject({ code: 'store_unavailable' });
  // One try and its deadline; with the client's own retries it was more than ten deadlines.
  expect(performance.now() - startedMs).toBeLessThan(8 * DEADLINE_MS);
  expect(sockets.size).toBeGreaterThan(0);
});
