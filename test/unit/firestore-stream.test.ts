/** Targets that share a `Listen` call: what each is told, whatever the server says, and however often the call is lost. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ListenResponse, Snapshot } from '../../shared/adapters/firestore-snapshots.ts';
import { type ListenCall, sharedStream } from '../../shared/adapters/firestore-stream.ts';

const DATABASE = 'projects/p/databases/(default)';
const NO_TARGETS: number[] = [];

type AddTarget = { targetId: number; documents: { documents: string[] }; resumeToken?: Uint8Array };
type Asked = { addTarget?: AddTarget; removeTarget?: number };
/** A call as its server sees it. */
type Served = {
  asked: Asked[];
  say(response: ListenResponse): void;
  break(code?: number): void;
  isCancelled: boolean;
};

let calls: Served[];
let failures: number;
let closed: number;
let stream: ReturnType<typeof sharedStream>;

async function open(): Promise<ListenCall> {
  if (failures > 0) {
    failures -= 1;
    throw new Error('no way to it');
  }
  const listeners: Record<string, (said?: ListenResponse | { code?: number }) => void> = {};
  const served: Served = {
    asked: [],
    say: (response) => listeners.data?.(response),
    break: (code) => listeners.error?.({ ...(code && { code }) }),
    isCancelled: false,
  };
  calls.push(served);
  const call: ListenCall = {
    write: (request) => void served.asked.push(request as Asked),
    cancel() {
      served.isCancelled = true;
      listeners.error?.();
    },
    on(event: string, listener: unknown) {
      listeners[event] = listener as never;
      return call;
    },
  };
  return call;
}

beforeEach(async () => {
  vi.useFakeTimers();
  [calls, failures, closed] = [[], 0, 0];
  stream = sharedStream(DATABASE, open, () => {
    closed += 1;
  });
  await vi.advanceTimersByTimeAsync(0);
});
afterEach(() => {
  stream.close();
  if (vi.isFakeTimers()) expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

/** Listens to a document; `told` are its snapshots, as versions of documents by name. */
function listen(name: string, isAppendOnly = false) {
  const told: Record<string, number | undefined>[] = [];
  const stop = stream.add({
    target: () => ({ documents: { documents: [name] } }),
    isAppendOnly,
    onSnapshot({ changes }: Snapshot) {
      told.push(
        Object.fromEntries(
          [...changes].map(([name, document]) => [name, Number(document?.updateTime?.seconds ?? NaN)]),
        ),
      );
    },
  });
  return { told, stop };
}
const GONE = Number.NaN;

const server = () => calls.at(-1) as Served;
const targets = () => server().asked.flatMap(({ addTarget }) => addTarget?.targetId ?? []);
const named = (name: string) =>
  server().asked.findLast(({ addTarget }) => addTarget?.documents.documents[0] === name)?.addTarget?.targetId ?? 0;
const document = (name: string, version: number, targetIds: number[]) =>
  server().say({ documentChange: { document: { name, updateTime: { seconds: version } }, targetIds } });
const change = (
  targetChangeType: 'ADD' | 'CURRENT' | 'RESET' | 'REMOVE' | 'NO_CHANGE',
  targetIds = NO_TARGETS,
  resumeToken?: Uint8Array,
) =>
  server().say({
    targetChange: { targetChangeType, targetIds, readTime: { seconds: 5 }, ...(resumeToken && { resumeToken }) },
  });
const settle = (...targetIds: number[]) => {
  change('CURRENT', targetIds);
  change('NO_CHANGE');
};

test('each is told what is its own, when all of it has been said, and nothing of the others', () => {
  const [one, other] = [listen('a'), listen('b')];
  const [a = 0, b = 0] = targets();
  change('ADD', [a]);
  document('a', 1, [a]);
  change('NO_CHANGE');
  expect(one.told).toEqual([]);
  settle(a);
  expect([one.told, other.told]).toEqual([[{ a: 1 }], []]);
  document('b', 1, [b]);
  settle(b);
  change('NO_CHANGE');
  document('a', 2, [a]);
  document('a', 3, [a]);
  change('NO_CHANGE', [a]);
  expect(one.told).toEqual([{ a: 1 }]);
  change('NO_CHANGE');
  expect([one.told, other.told]).toEqual([[{ a: 1 }, { a: 3 }], [{ b: 1 }]]);
});

test('one document of two is told to both; a stopped one hears nothing more, and the server is told', () => {
  const [one, other] = [listen('a'), listen('a')];
  document('a', 1, targets());
  settle(...targets());
  one.stop();
  one.stop();
  document('a', 2, targets());
  change('NO_CHANGE');
  change('REMOVE', targets().slice(0, 1));
  expect([one.told, other.told]).toEqual([[{ a: 1 }], [{ a: 1 }, { a: 2 }]]);
  expect(server().asked.at(-1)).toMatchObject({ removeTarget: targets()[0] });
  expect(calls).toHaveLength(1);
});

test('that there is nothing is told, once; then what comes, goes, and is made again', () => {
  const { told } = listen('a');
  const [a = 0] = targets();
  settle(a);
  settle(a);
  document('a', 1, [a]);
  change('NO_CHANGE');
  server().say({ documentDelete: { document: 'a', removedTargetIds: [a] } });
  change('NO_CHANGE');
  document('a', 2, [a]);
  server().say({ documentRemove: { document: 'a', removedTargetIds: [a] } });
  change('NO_CHANGE');
  document('a', 3, [a]);
  change('NO_CHANGE');
  const removed = { document: { name: 'a', updateTime: { seconds: 4 } }, targetIds: [], removedTargetIds: [a] };
  server().say({ documentChange: removed });
  change('NO_CHANGE');
  expect(told).toEqual([{}, { a: 1 }, { a: GONE }, { a: 3 }, { a: GONE }]);
});

test('what is said of all targets is not of one that the server has not taken yet', () => {
  const [one, other] = [listen('a'), listen('b')];
  change('ADD', [named('a')]);
  settle();
  expect([one.told, other.told]).toEqual([[{}], []]);
  change('ADD', [named('b')]);
  settle();
  expect([one.told, other.told]).toEqual([[{}], [{}]]);
});

test('a target that the server says again from the start is told only what differs', () => {
  const { told } = listen('a');
  const [a = 0] = targets();
  change('ADD', [a]);
  for (const name of ['x', 'y', 'z']) document(name, 1, [a]);
  settle(a);
  change('RESET', [a]);
  document('x', 1, [a]);
  change('NO_CHANGE');
  document('y', 2, [a]);
  settle(a);
  change('RESET');
  document('y', 2, [a]);
  settle();
  expect(told).toEqual([{ x: 1, y: 1, z: 1 }, { y: 2, z: GONE }, { x: GONE }]);
});

test('a lost call is made again, later each time, for those who are left; they are told what differs', async () => {
  const [one, other, gone] = [listen('a'), listen('b'), listen('c')];
  change('ADD', targets());
  document('a', 1, [named('a')]);
  document('b', 1, [named('b')]);
  settle(...targets());
  gone.stop();
  failures = 3;
  server().break();
  // Who comes meanwhile is asked for with them.
  const late = listen('d');
  await vi.advanceTimersByTimeAsync(100);
  expect(calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200 + 400 + 800);
  expect(calls).toHaveLength(2);
  expect(server().asked.map(({ addTarget }) => addTarget?.documents.documents[0])).toEqual(['a', 'b', 'd']);
  settle();
  change('ADD', targets());
  document('a', 1, [named('a')]);
  document('b', 2, [named('b')]);
  settle(...targets());
  // What the call before still says is nobody's.
  calls[0]?.say({ targetChange: { targetChangeType: 'REMOVE', targetIds: NO_TARGETS } });
  calls[0]?.break();
  await vi.advanceTimersByTimeAsync(10_000);
  expect([calls.length, server().asked.length]).toEqual([2, 3]);
  // This one was no failure: the next is made soon.
  server().break();
  await vi.advanceTimersByTimeAsync(100);
  expect(calls).toHaveLength(3);
  expect([one.told, other.told, late.told]).toEqual([[{ a: 1 }], [{ b: 1 }, { b: 2 }], [{}]]);
  expect(gone.told).toEqual([{}]);
});

test('a target that the server does not take is asked for alone, later each time; the others go on', async () => {
  const [bad, good] = [listen('bad'), listen('good')];
  settle(named('good'));
  const times: number[] = [];
  for (let second = 0; second < 200; second++) {
    if (server().asked.length > times.length + 2) times.push(second);
    change('REMOVE', [named('bad')]);
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(times).toEqual([1, 3, 7, 15, 31, 63, 123, 183]);
  document('good', 1, [named('good')]);
  change('NO_CHANGE');
  expect([calls.length, good.told, bad.told]).toEqual([1, [{}, { good: 1 }], []]);
  // It is taken at last.
  await vi.advanceTimersByTimeAsync(60_000);
  document('bad', 1, [named('bad')]);
  settle(named('bad'));
  expect(bad.told).toEqual([{ bad: 1 }]);
});

test('one that leaves while its target is not taken is not asked for again', async () => {
  const { stop } = listen('a');
  listen('b');
  change('REMOVE', [named('a')]);
  stop();
  await vi.advanceTimersByTimeAsync(100_000);
  expect(server().asked.filter(({ addTarget }) => addTarget?.documents.documents[0] === 'a')).toHaveLength(1);
});

test('one whose target is not taken waits for its time, also where the call is lost meanwhile', async () => {
  listen('a');
  listen('b');
  for (const afterMs of [1_000, 2_000, 4_000]) {
    change('REMOVE', [named('a')]);
    await vi.advanceTimersByTimeAsync(afterMs);
  }
  change('REMOVE', [named('a')]);
  server().break();
  await vi.advanceTimersByTimeAsync(7_999);
  expect([calls.length, named('a'), named('b') > 0]).toEqual([2, 0, true]);
  await vi.advanceTimersByTimeAsync(1);
  expect(named('a')).toBeGreaterThan(0);
  // And it is not waited for where the stream is closed.
  change('REMOVE', [named('a')]);
});

test('a target whose documents have not all come within half a minute is asked for anew', async () => {
  listen('a');
  const other = listen('b');
  settle(named('b'));
  const first = named('a');
  await vi.advanceTimersByTimeAsync(29_000);
  change('RESET', [named('b')]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(server().asked.slice(2)).toMatchObject([{ removeTarget: first }, { addTarget: { targetId: 3 } }]);
  expect([calls.length, other.told]).toEqual([1, [{}]]);
});

test('a call that says nothing for two minutes is taken for dead; words put that off', async () => {
  listen('a');
  settle(...targets());
  for (let n = 0; n < 5; n++) {
    await vi.advanceTimersByTimeAsync(119_000);
    change('NO_CHANGE');
  }
  expect(calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(150_200);
  expect(calls).toHaveLength(2);
  expect(calls[0]?.isCancelled).toBe(true);
});

test('a server that has no way for us is asked each ten seconds at most, one that has no room no sooner', async () => {
  listen('a');
  for (let n = 0; n < 100; n++) {
    server().break();
    await vi.advanceTimersByTimeAsync(1_000);
  }
  expect(calls.length).toBeGreaterThan(10);
  expect(calls.length).toBeLessThan(30);
  await vi.advanceTimersByTimeAsync(20_000);
  const before = calls.length;
  server().break(8);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(calls).toHaveLength(before);
  await vi.advanceTimersByTimeAsync(5_001);
  expect(calls).toHaveLength(before + 1);
});

test('of documents that the server forgot it says how many are left: where that is not ours, it is asked again', async () => {
  const { told } = listen('a');
  const [a = 0] = targets();
  for (const name of ['x', 'y']) document(name, 1, [a]);
  change('CURRENT', [a]);
  change('NO_CHANGE', NO_TARGETS, new Uint8Array([1]));
  server().say({ filter: { targetId: a, count: 2 } });
  expect(server().asked).toHaveLength(1);
  document('z', 1, [a]);
  server().say({ filter: { targetId: a, count: 2 } });
  expect(server().asked.slice(1)).toMatchObject([{ removeTarget: a }]);
  await vi.advanceTimersByTimeAsync(1_000);
  const { addTarget } = server().asked[2] ?? {};
  expect([addTarget?.targetId, addTarget?.resumeToken]).toEqual([a + 1, undefined]);
  document('x', 2, [a]);
  document('x', 1, [a + 1]);
  document('z', 1, [a + 1]);
  settle(a + 1);
  expect(told).toEqual([
    { x: 1, y: 1 },
    { z: 1, y: GONE },
  ]);
});

test('a call goes on from what was told: not from what was said later, and not after one that failed at once', async () => {
  const { told } = listen('a');
  const appended = listen('b', true);
  const token = () => server().asked.map(({ addTarget }) => addTarget?.resumeToken?.[0]);
  for (const name of ['x', 'y']) document(name, 1, [named('a')]);
  change('CURRENT', targets());
  change('NO_CHANGE', NO_TARGETS, new Uint8Array([1]));
  document('z', 2, [named('a')]);
  change('NO_CHANGE', [named('a')], new Uint8Array([2]));
  await vi.advanceTimersByTimeAsync(20_000);
  server().break();
  await vi.advanceTimersByTimeAsync(100);
  expect(token()).toEqual([1, undefined]);
  // What has not changed is not said; what has is not told before all of it is said.
  document('x', 3, [named('a')]);
  change('NO_CHANGE');
  expect(told).toHaveLength(1);
  change('CURRENT', targets());
  change('NO_CHANGE', NO_TARGETS, new Uint8Array([3]));
  expect([told, appended.told]).toEqual([[{ x: 1, y: 1 }, { x: 3 }], [{}]]);
  server().break();
  await vi.advanceTimersByTimeAsync(200);
  expect([calls.length, token()]).toEqual([3, [undefined, undefined]]);
});

test('what a listener throws is thrown, and hurts no other one', async () => {
  const strays: unknown[] = [];
  const onStray = (error: unknown) => void strays.push(error);
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', onStray);
  try {
    const target = () => ({ documents: { documents: ['a'] } });
    stream.add({
      target,
      onSnapshot() {
        throw new Error('not ours');
      },
    });
    const { told } = listen('b');
    settle(...targets());
    vi.useRealTimers();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect([told, String(strays)]).toEqual([[{}], 'Error: not ours']);
  } finally {
    process.off('uncaughtException', onStray);
    for (const listener of others) process.on('uncaughtException', listener);
  }
});

test('who cares only for what comes is told it again when it is said again, and no filter is anything to it', () => {
  const { told } = listen('a', true);
  const [a = 0] = targets();
  document('x', 1, [a]);
  settle(a);
  server().say({ filter: { targetId: a, count: 7 } });
  change('RESET', [a]);
  document('x', 1, [a]);
  document('y', 1, [a]);
  settle(a);
  expect(told).toEqual([{ x: 1 }, { x: 1, y: 1 }]);
  expect(server().asked).toHaveLength(1);
});

test('who leaves or comes while others are told neither hears of it nor stops them', () => {
  const told: string[] = [];
  const stops: (() => void)[] = [];
  for (const name of ['a', 'b', 'c']) {
    const target = () => ({ documents: { documents: [name] } });
    const stop = stream.add({
      target,
      onSnapshot() {
        told.push(name);
        stops[1]?.();
        stream.add({ target, onSnapshot: () => told.push('late') });
      },
    });
    stops.push(stop);
  }
  settle(...targets());
  expect(told).toEqual(['a', 'c']);
});

test('the call is kept for a while when nobody listens, then ended', async () => {
  listen('a').stop();
  await vi.advanceTimersByTimeAsync(4_000);
  const { stop } = listen('b');
  await vi.advanceTimersByTimeAsync(60_000);
  stop();
  await vi.advanceTimersByTimeAsync(4_999);
  expect([calls.length, closed, server().isCancelled]).toEqual([1, 0, false]);
  await vi.advanceTimersByTimeAsync(1);
  expect([calls.length, closed, server().isCancelled]).toEqual([1, 1, true]);
});

test('a stream that is closed before its call was made ends it', async () => {
  const own = sharedStream(DATABASE, open, () => {});
  own.close();
  await vi.advanceTimersByTimeAsync(60_000);
  expect([calls.length, server().isCancelled]).toEqual([2, true]);
});
