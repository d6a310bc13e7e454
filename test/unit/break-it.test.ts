/** What lies behind the break-it bar: the store's freeze, what is remembered of calls, and how its provider answers. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { allAvailable, breakIt, withBreakIt } from '../../infra/break-it.ts';
import { breakItCounts, countedAs } from '../../infra/break-it-counts.ts';
import { breakItProvider } from '../../infra/break-it-provider.ts';
import { virtualClock } from '../support/virtual-clock.ts';

/** What is done is noted. */
function bar(whyNot?: string) {
  const clock = virtualClock();
  const done: unknown[] = [];
  const counts = breakItCounts();
  const deeds = {
    killWorker: () => void done.push('kill'),
    deliver: async (id: string, times: number) => void done.push([id, times]),
    setFrozen: (frozen: boolean) => void done.push(frozen),
  };
  const made = breakIt({ counts, available: () => allAvailable(whyNot), deeds, clock });
  const post = (deed: string, body: object) =>
    made.fetch(
      new Request(`http://127.0.0.1/break-it/${deed}/`, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json', 'Content-Length': '99' },
        body: JSON.stringify(body),
      }),
    );
  return { ...made, post, done, counts, clock };
}

test('a store that is frozen while it is frozen answers again when the later time is over', async () => {
  const { post, done, counts, clock } = bar();
  await post('freeze-store', { seconds: 2 });
  await clock.advance(1_500);
  await post('freeze-store', { seconds: 2 });
  await clock.advance(1_999);
  expect([done, counts.read().frozen]).toEqual([[true, true], true]);
  await clock.advance(1);
  expect([done, counts.read().frozen]).toEqual([[true, true, false], false]);
});

test('a store that was thawed is not thawed once more, not even by its own time', async () => {
  const { post, done, thaw, clock } = bar();
  thaw();
  await post('freeze-store', { seconds: 2 });
  thaw();
  thaw();
  await clock.advance(5_000);
  expect(done).toEqual([true, false]);
});

test('what cannot be done here is refused with the reason, and not done', async () => {
  const { post, done } = bar('Not today.');
  const id = crypto.randomUUID();
  for (const [deed, body] of [
    ['kill-worker', {}],
    ['deliver', { job_id: id, times: 10 }],
    ['freeze-store', { seconds: 1 }],
  ] as const) {
    const refused = await post(deed, body);
    expect([refused.status, await refused.json()]).toMatchObject([409, { code: 'not_available', error: 'Not today.' }]);
  }
  expect(done).toEqual([]);
});

test('of a log, what counts is a write of a zombie, and a claim of what is held or over', () => {
  expect([
    countedAs('zombie-write-refused', undefined),
    ...['leased', 'done', 'not-due', undefined].map((why) => countedAs('claim-refused', why)),
    countedAs('claimed', 'leased'),
  ]).toEqual(['refused_writes', 'refused_claims', 'refused_claims', undefined, undefined, undefined]);
});

test('of so many jobs the calls are remembered, of the newest; all calls are counted', () => {
  const counts = breakItCounts();
  for (let n = 0; n < 201; n++) expect(counts.called(`job ${n}`)).toBe(1);
  expect([counts.called('job 200'), counts.called(undefined)]).toEqual([2, 1]);
  const { calls, counters } = counts.read();
  expect([Object.keys(calls).length, calls['job 0'], calls['job 200'], counters.calls]).toEqual([
    200,
    undefined,
    2,
    203,
  ]);
});

test('the provider counts a call before it answers, and refuses only the first one of a job', async () => {
  const counts = breakItCounts();
  const server = createServer(breakItProvider(counts));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const id = crypto.randomUUID();
  const call = (directions: string) =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ messages: [{ role: 'user', content: `[break-it ${id} ${directions}] Hello.` }] }),
    });
  try {
    const refused = await call('seconds=0 rate_limit=7');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '7']);
    const answer = await call('seconds=20 rate_limit=7');
    expect([answer.status, counts.read().calls[id]]).toEqual([200, 2]);
    await answer.body?.cancel();
    const whole = await (await call('seconds=0 cut=1')).text();
    expect(whole).toMatch(/data: \[DONE\]\n\n$/);
    expect(counts.read().counters.calls).toBe(3);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('it is for its own page, and for who is no page', async () => {
  const { fetch } = bar();
  const answer = withBreakIt(() => new Response('the service'), fetch);
  const ask = async (path: string, origin?: string) => {
    const headers = origin === undefined ? {} : { Origin: origin };
    const { status } = await answer(new Request(`http://localhost:8080${path}`, { headers }));
    return status;
  };
  expect(await Promise.all([ask('/break-it/'), ask('/break-it', 'http://localhost:8080')])).toEqual([200, 200]);
  const others = ['http://localhost:8081', 'https://localhost:8080', 'http://127.0.0.1:8080', 'null', ''];
  for (const origin of others) expect([origin, await ask('/break-it/stream', origin)]).toEqual([origin, 403]);
  expect(await (await answer(new Request('http://localhost:8080/break-item'))).text()).toBe('the service');
});
