/** A Firestore that takes connections and never answers: every method gives up after its deadline, and none tries again. */

import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JobStore } from '../../shared/core/ports.ts';
import { sampleJob } from '../contracts/job-store.ts';
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
const CALLS: [string, (on: JobStore) => Promise<unknown>][] = [
  ['create', (on) => on.create(job, 1)],
  ['get', (on) => on.get(job)],
  ['getWithInput', (on) => on.getWithInput(job)],
  ['update', (on) => on.update(job, '1.0', { version: 2 })],
  ['list', (on) => on.list({ tenant: 't', limit: 1, offset: 0 })],
  ['getMany', (on) => on.getMany([job, sampleJob()])],
  ['inputs', (on) => on.inputs([job, sampleJob()])],
  ['countByState', (on) => on.countByState(BATCH, 0)],
  ['due', (on) => on.due(0, 1)],
];

test.each(CALLS)('%s', async (_, call) => {
  const startedMs = performance.now();
  await expect(call(stores.store)).rejects.toMatchObject({ code: 'store_unavailable' });
  // One try and its deadline; with the client's own retries it was more than ten deadlines.
  expect(performance.now() - startedMs).toBeLessThan(8 * DEADLINE_MS);
  expect(sockets.size).toBeGreaterThan(0);
});
