/** Where the job of a page is kept, when the storage is full or forbidden. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newJobId } from '../../shared/client/client.ts';
import { IDLE } from '../../shared/client/followed-job.ts';
import { jobKeeper } from '../../shared/client/kept-job.ts';
import { followerWorld, prompt, shown, tabStorage } from './follower-world.ts';

let world: Awaited<ReturnType<typeof followerWorld>>;
beforeAll(async () => {
  world = await followerWorld();
});
afterAll(() => world.close());

const nothing = () => {};

const refuses = () => {
  throw new DOMException('Not allowed.', 'SecurityError');
};

test.concurrent.each([
  ['A storage that forbids everything', { getItem: refuses, setItem: refuses, removeItem: refuses }],
  ['A storage that is full', { ...tabStorage(), setItem: refuses }],
  ['A storage that holds something else', { ...tabStorage(), getItem: () => '{"jobId": "../../x"', setItem: refuses }],
])('%s: the job is kept in memory', async (_, storage) => {
  const key = newJobId();
  const first = world.page({ storage, key });
  const leave = first.follower.subscribe(nothing);
  const jobId = first.follower.submit(prompt('Kept in memory [simulate seconds=0.2]'));
  await shown(first.follower, 'processing');
  leave();
  const second = world.page({ storage, key });
  expect(second.seen()).toMatchObject({ jobId, status: 'pending' });
  second.follower.subscribe(nothing);
  await shown(second.follower, 'completed');
  expect(world.page({ storage, key }).seen()).toBe(IDLE);
});

test('A storage that throws when it is asked for, as in a frame whose cookies are blocked', async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'sessionStorage');
  Object.defineProperty(globalThis, 'sessionStorage', { get: refuses, configurable: true });
  try {
    expect(() => sessionStorage).toThrow('Not allowed.');
    const { follower } = world.page({ storage: undefined, key: newJobId() });
    follower.subscribe(nothing);
    follower.submit(prompt('Blocked'));
    await shown(follower, 'completed');
  } finally {
    Reflect.deleteProperty(globalThis, 'sessionStorage');
    if (before) Object.defineProperty(globalThis, 'sessionStorage', before);
  }
});

test('A storage that is full when the next job comes does not bring back the one before', () => {
  const storage = tabStorage();
  const keeper = jobKeeper('job', storage);
  const [first, second] = [{ jobId: newJobId() }, { jobId: newJobId() }];
  keeper.keep(first);
  storage.setItem = refuses;
  keeper.keep(second);
  expect(keeper.read()).toEqual(second);
  keeper.forget();
  expect(keeper.read()).toBeUndefined();
});

test('What another tab keeps meanwhile is not forgotten with the job that ended here', () => {
  const storage = tabStorage();
  const [here, there] = [jobKeeper('job', storage), jobKeeper('job', storage)];
  const [mine, theirs] = [{ jobId: newJobId() }, { jobId: newJobId() }];
  here.keep(mine);
  there.keep(theirs);
  here.forget(mine.jobId);
  expect(there.read()).toEqual(theirs);
});
