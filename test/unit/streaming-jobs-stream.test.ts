/** The tokens of `/jobs/{id}/stream`, of events that a reader of a stream may meet: what it has is continued, or void. */
import { expect, test } from 'vitest';
import { renderEvents } from '../../functions/surfaces/streaming-jobs-stream.ts';
import type { Job } from '../../shared/core/job.ts';
import type { StreamEvent } from '../../shared/core/stream.ts';
import { coreWorld } from '../support/core-world.ts';

const world = coreWorld();
const job: Job = await world.submit('Hello.');
world.close();

const snapshot = (attempt: number, text: string): StreamEvent => ({
  type: 'snapshot',
  id: attempt * 1_000_000 + 2,
  seen: { job: { ...job, attempt, state: 'processing' }, nowMs: job.createdAt },
  text,
});
const delta: StreamEvent = { type: 'delta', id: 1_000_001, text: 'Once' };

async function* given(events: readonly StreamEvent[]) {
  yield* events;
}

const token = (text: string) => ({ data: { token: text } });
const reset = (attempt: number) => ({ event: 'reset', data: { attempt } });

test.each<[string, StreamEvent[], boolean, object[]]>([
  ['the same attempt, longer', [delta, snapshot(1, 'Once upon')], false, [token('Once'), token(' upon')]],
  ['the same attempt, as long', [delta, snapshot(1, 'Once')], false, [token('Once')]],
  ['the same attempt, shorter', [delta, snapshot(1, 'On')], false, [token('Once'), reset(1), token('On')]],
  ['another attempt', [delta, snapshot(2, 'Twice upon')], false, [token('Once'), reset(2), token('Twice upon')]],
  ['another attempt, before any text', [snapshot(2, 'Twice')], false, [token('Twice')]],
  ['any, for one who comes back', [snapshot(1, 'Once')], true, [reset(1), token('Once')]],
])('a snapshot of %s', async (_name, events, comesBack, expected) => {
  const rendered: object[] = [];
  for await (const { id: _, ...event } of renderEvents(given(events), { comesBack })) rendered.push(event);
  expect(rendered).toEqual(expected);
});

test('who comes back, and whose text lies in parts, gets it with the end', async () => {
  const ended: Job = { ...job, attempt: 1, state: 'completed', completedAt: job.createdAt };
  const apart = { ...ended, parts: { result: { name: '1-a', bytes: 1, sha256: [] } } };
  const events: StreamEvent[] = [
    { type: 'snapshot', id: 1_000_002, seen: { job: apart, nowMs: job.createdAt }, text: undefined },
    { type: 'done', id: 1_999_999, seen: { job: { ...apart, result: { result: 'Once' } }, nowMs: job.createdAt } },
  ];
  for (const comesBack of [false, true]) {
    const rendered: object[] = [];
    for await (const { id: _, ...event } of renderEvents(given(events), { comesBack })) rendered.push(event);
    expect(rendered.slice(0, -1)).toEqual(comesBack ? [reset(1), token('Once')] : [token('Once')]);
    expect(rendered.at(-1)).toMatchObject({ event: 'metrics' });
  }
});
