/** Q01, P07: streams that readers leave and join again anywhere, while attempts fail, are taken over, or are cancelled. */
import { expect } from 'vitest';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Job } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { sleep } from '../../shared/core/ports.ts';
import type { StreamEvent } from '../../shared/core/stream.ts';
import { ADA } from '../support/core-world.ts';
import { idsOf, resultText, take, textOf } from '../support/reader.ts';
import type { Instance } from './instance.ts';
import type { ProviderCall } from './provider-double.ts';
import { type Open, scenario, type World } from './world.ts';

/** Cut within a pair of surrogates, within a family of emoji, and before a combining mark. */
const PIECES = [
  'a1 \ud83d',
  '\udc68\u200d',
  '\ud83d\udc69',
  '\u200d\ud83d\udc67 漢',
  '字 e',
  '\u0301 and ',
  'the end.',
];
const PAUSE_MS = 120;
const READERS_MS = 2_000;

export function streamingScenarios(open: Open): void {
  scenario(
    open,
    'Q01 a reader that is dropped at every event and comes back to another process sees each delta once, and one end',
    async (world) => {
      world.provider.answerWith((call) => speak(world, call, PIECES));
      const { job, running } = await started(world);
      const { events, joins } = await hop(world, job, [world.main, world.instance()]);
      await world.until(running);

      const ended = await world.read(job);
      expect(ended.state).toBe('completed');
      expect(resultText(ended)).toBe(PIECES.join(''));
      expect(textOf(events)).toBe(resultText(ended));
      // It was dropped after each, and there were several.
      expect(joins).toBe(events.length + 1);
      expect(events.filter(({ type }) => type === 'delta').length).toBeGreaterThan(1);
      expectRising(events);
      expect(events.map(({ type }) => type)).toEqual(['snapshot', ...Array(events.length - 2).fill('delta'), 'done']);
    },
  );

  scenario(
    open,
    'P07 an answer that breaks off is tried again: a reset comes between the two texts, also for who was away',
    async (world) => {
      world.provider.answerWith(async function* (call) {
        yield* speak(world, call, [`try ${call.nth}: `, 'one ', 'two '], call.nth > 1);
        if (call.nth > 1) return;
        // On a machine that is busy readers take a while to come.
        await sleep(world.clock, world.isVirtual ? 0 : READERS_MS);
        throw new ServiceError('overloaded', 'told to break');
      });
      const { job, running } = await started(world);
      const readers = [world.main, world.instance()];
      const [there, away] = await Promise.all([
        world.until(take(world.instance().service, job, (promise) => promise)),
        hop(world, job, readers),
      ]);
      await world.until(running);
      const ended = await world.read(job);
      expect(ended).toMatchObject({ state: 'completed', attempts: [{ outcome: 'failed' }, { outcome: 'completed' }] });
      for (const events of [there.events, away.events]) {
        expect(textOf(events)).toBe('try 2: one two ');
        expect(events.filter(({ type }) => type === 'reset')).toMatchObject([{ attempt: 2 }]);
        expectRising(events);
        const reset = events.findIndex(({ type }) => type === 'reset');
        expect(textOf(events.slice(0, reset))).toContain('try 1: ');
        expect(textOf(events.slice(reset + 1))).not.toContain('try 1: ');
      }
    },
  );

  scenario(open, "a zombie's chunks are kept, and never shown", async (world) => {
    world.provider.answerWith((call) =>
      call.nth === 1 ? hold(world, call, ['zombie ', 'more ']) : hold(world, call, ['second ', 'answer.']),
    );
    const victim = world.instance();
    const { job } = await started(world, victim);
    const reader = take(world.main.service, job, (promise) => promise);
    await world.eventually(async () => (await chunks(world, job, 1)) === 'zombie ');
    victim.pause();
    await world.makeDue(job);
    await world.main.sweep();
    const rescued = world.deliverRung();
    await world.eventually(async () => (await chunks(world, job, 2)) === 'second ');
    // Its call goes on, and so does its writing: nothing fences chunks but their attempt.
    world.answerTo(job, 1);
    await world.eventually(async () => (await chunks(world, job, 1)) === 'zombie more ');
    const late = await take(world.instance().service, job, world.until, { cursor: 1_000_001, most: 2 });
    world.answerTo(job, 2);
    await world.until(rescued);

    const { events } = await world.until(reader);
    expect(late.events.map(({ type }) => type)).toEqual(['reset', 'delta']);
    for (const seen of [events, late.events]) expect(JSON.stringify(seen)).not.toContain('more ');
    expect(textOf(events)).toBe('second answer.');
    expectRising(events);
    expect(await world.read(job)).toMatchObject({ state: 'completed', attempts: [{ outcome: 'lost' }, {}] });
    victim.resume();
  });

  scenario(open, 'a cancelled stream ends with what was said until then, for all readers alike', async (world) => {
    world.provider.answerWith((call) => hold(world, call, ['said ', 'never said']));
    const { job, running } = await started(world);
    const reader = take(world.instance().service, job, (promise) => promise);
    await world.eventually(async () => (await chunks(world, job, 1)) === 'said ');
    await world.until(world.main.service.cancel(ADA, job.id));
    await world.until(running);
    const { events } = await world.until(reader);
    expect(events.at(-1)).toMatchObject({ type: 'done', seen: { job: { state: 'cancelled' } } });
    expect(textOf(events)).toBe('said ');
    const late = await take(world.instance().service, job, world.until);
    expect(late.events.map(({ type }) => type)).toEqual(['snapshot', 'done']);
    expect(textOf(late.events)).toBe('said ');
    expect(await take(world.main.service, job, world.until, { cursor: late.events.map(idOf).at(-1) })).toEqual({
      events: [],
      isOver: true,
    });
  });

  scenario(open, 'a job without deltas is a snapshot, its status, and its end', async (world) => {
    const job = await world.submit();
    const reader = take(world.main.service, job, (promise) => promise);
    await world.eventually(() => world.main.service.listeners() === 1);
    await world.deliver(job);
    const { events } = await world.until(reader);
    const kinds = new Set(events.map(({ type }) => type));
    expect(events[0]).toMatchObject({ type: 'snapshot', text: undefined });
    expect(events.at(-1)).toMatchObject({ type: 'done', seen: { job: { state: 'completed' } } });
    expect([...kinds].filter((type) => ['delta', 'reset'].includes(type))).toEqual([]);
    expect(await chunks(world, job, 1)).toBe('');
  });
}

async function started(world: World, by: Instance = world.main): Promise<{ job: Job; running: Promise<unknown> }> {
  const job = await world.submit({ stream: true });
  const running = by.run(job);
  running.catch(() => {});
  return { job, running };
}

/** Reads a stream to its end, dropped after each event, by one process after the other. */
async function hop(world: World, job: Job, readers: readonly Instance[]) {
  const events: StreamEvent[] = [];
  let joins = 0;
  for (;;) {
    const reader = readers[joins % readers.length] as Instance;
    joins += 1;
    const cursor = idsOf(events).at(-1);
    const taken = await take(reader.service, job, world.until, { cursor, most: 1 });
    if (taken.isOver) return { events, joins };
    events.push(...taken.events);
  }
}

/** An answer in pieces, with pauses. */
async function* speak(world: World, call: ProviderCall, pieces: readonly string[], ends = true) {
  yield { type: 'accepted', providerRequestId: `req-${call.nth}` } satisfies LlmPart;
  for (const text of pieces) {
    yield { type: 'text-delta', text } satisfies LlmPart;
    await sleep(world.clock, PAUSE_MS);
  }
  if (ends) yield { type: 'finish', reason: 'stop' } satisfies LlmPart;
}

/** An answer whose second piece is given when the test opens it. */
async function* hold(world: World, call: ProviderCall, [first = '', second = '']: string[]) {
  yield { type: 'text-delta', text: first } satisfies LlmPart;
  for await (const part of world.provider.held(call)) {
    if (part.type === 'text-delta') yield { ...part, text: second };
    else yield part;
  }
}

async function chunks(world: World, job: Job, attempt: number): Promise<string> {
  return (await world.chunks.list(job, attempt, 0)).map(({ text }) => text).join('');
}

function idOf(event: StreamEvent): number {
  return 'id' in event ? event.id : 0;
}

function expectRising(events: readonly StreamEvent[]): void {
  const ids = idsOf(events);
  expect(ids).toEqual([...new Set(ids)].sort((left, right) => left - right));
  expect(events.filter(({ type }) => type === 'done')).toHaveLength(1);
}
