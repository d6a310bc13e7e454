/** What the part store sends to Firestore and is sent: how much of it, and that texts travel only to who asks for them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { PartSetKey } from '../../shared/core/part-store.ts';
import { describeOnEmulators, emulatorConfig, emulators } from '../support/emulators.ts';
import { countField, type GrpcProxy, startGrpcProxy } from '../support/grpc-proxy.ts';
import { firestoreStores, type Stores } from '../support/stores.ts';

const DELETE_AT = 4_000_000_000_000;
const THEN = 1_700_000_000_000;
const TEXT = '分'.repeat(256 * 1024);

describeOnEmulators('parts on the wire', () => {
  let firestore: GrpcProxy;
  let stores: Stores;
  beforeAll(async () => {
    firestore = await startGrpcProxy(emulators().firestore);
    const { projectId } = emulatorConfig();
    stores = firestoreStores({ projectId, emulatorHost: firestore.host, deadlineMs: 20_000 });
  });
  afterAll(async () => {
    await stores?.close();
    await firestore?.close();
  });

  const newKey = (): PartSetKey => ({ tenant: 't', id: crypto.randomUUID(), set: '1-a' });
  const put = (key: PartSetKey, n: number) =>
    stores.parts.put(key, { n, text: TEXT, deleteAt: DELETE_AT, checkAt: n === 1 ? THEN : undefined });

  /** What a call was made of. `documents`: written or read by name; `bytes`: of the answers. */
  async function sent(call: Promise<unknown>) {
    firestore.calls.length = 0;
    firestore.answers.length = 0;
    await call;
    return {
      calls: firestore.calls.map(({ method }) => method),
      // `writes` and `documents`: field 2 of each request.
      documents: firestore.calls
        .filter(({ method }) => method !== 'RunQuery')
        .reduce((sum, { message }) => sum + countField(message, 2), 0),
      bytes: firestore.answers.flatMap(({ messages }) => messages).reduce((sum, { length }) => sum + length, 0),
    };
  }

  test('each method is one call, a removal two, and no text comes unasked', async () => {
    const key = newKey();
    const { parts } = stores;
    const commit = { calls: ['Commit'], documents: 1 };
    expect(await sent(put(key, 1))).toMatchObject(commit);
    await put(key, 2);
    expect(await sent(put(key, 2))).toMatchObject(commit);

    const got = await sent(parts.get(key, 1));
    expect(got).toMatchObject({ calls: ['BatchGetDocuments'], documents: 1 });
    expect(got.bytes).toBeGreaterThan(Buffer.byteLength(TEXT));
    expect(await sent(parts.get(key, 3))).toMatchObject({ calls: ['BatchGetDocuments'], documents: 1 });

    const found = await sent(parts.unchecked(THEN, 10));
    expect(found).toMatchObject({ calls: ['RunQuery'] });
    expect(found.bytes).toBeLessThan(1_000);
    expect(await sent(parts.unchecked(THEN - 1, 10))).toMatchObject({ calls: ['RunQuery'] });

    expect(await sent(parts.check(key, THEN + 1))).toMatchObject(commit);
    expect(await sent(parts.check(key, null))).toMatchObject(commit);
    expect(await sent(parts.check(newKey(), THEN))).toMatchObject(commit);

    const removed = await sent(parts.remove(key));
    expect(removed).toMatchObject({ calls: ['RunQuery', 'Commit'], documents: 2 });
    expect(removed.bytes).toBeLessThan(1_000);
    expect(await sent(parts.remove(key))).toMatchObject({ calls: ['RunQuery'] });
  });

  test('a put whose answer was lost is of unknown fate, and once more it is there', async () => {
    const key = newKey();
    const lost = firestore.lost();
    firestore.loseAnswer(({ method }) => method === 'Commit');
    await expect(put(key, 1)).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(firestore.lost()).toBe(lost + 1);
    await put(key, 1);
    expect((await stores.parts.get(key, 1)) === TEXT).toBe(true);
  });
});
