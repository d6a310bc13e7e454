/** Sends generated requests to the application, and looks at what must not happen. */
import { connect } from 'node:net';
import { expect } from 'vitest';
import { listen } from '../../infra/listen.ts';
import { asUser, bearer, cookies, OWNER, openDoorWorld, TENANT } from './doors.ts';
import { type FuzzRequest, fuzzRequest, rawConversations } from './fuzz.ts';

/** Refusals that the store gave: it was asked, and stored nothing. */
const BY_THE_STORE =
  /job_id_taken|idempotency_conflict|this id or Idempotency-Key|of this Idempotency-Key is gone|job id is taken/;
const ANSWER_MS = 10_000;
const SILENCE_MS = 150;
/** So many conversations are held side by side: most of each is silence. */
const AT_ONCE = 150;
/** A long run keeps what it was allowed to store. What there was before is other files', whose worker it shares. */
const HEAP_BYTES_MOST = 700 * 1024 * 1024;

export type Fuzzed = { statuses: Map<number, number>; requests: number; sockets: number };

/** Throws at the first answer that must not be; its message names seed and number. */
export async function fuzz(options: { seed: number; requests: number; sockets: number }): Promise<Fuzzed> {
  const { seed, requests, sockets } = options;
  const heapBefore = process.memoryUsage().heapUsed;
  const own = await openDoorWorld();
  const strays: unknown[] = [];
  const onStray = (error: unknown) => void strays.push(error);
  process.on('unhandledRejection', onStray);
  const prototype = Object.getOwnPropertyNames(Object.prototype).join();
  const statuses = new Map<number, number>();
  const { job } = await own.service.submit(OWNER, {
    ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'Mine.' } },
  });
  await own.clock.until(own.run(job));
  const theirs = await own.service.submit(
    { ...OWNER, user: 'firebase:bob' },
    {
      ...{ jobType: 'general_llm_request', model: 'simulated', input: { prompt: 'A canary.' } },
    },
  );
  const mine = await asUser(own.issuers);
  const token = await own.doors.jobTokens?.issue(job, OWNER.scopes);
  const world = {
    routes: [...new Set(own.app.routes.flatMap(({ method, path }) => (method === 'ALL' ? [] : `${method} ${path}`)))],
    ids: [job.id, theirs.job.id, crypto.randomUUID(), '0b5e4c1e-7a0e-4b7e-9d52-3f1f3c9a1d01'],
    credentials: [
      ...[mine, mine, mine, mine, {}, bearer(own.apiKey), bearer('x.y.z'), bearer(token?.token ?? '')],
      await asUser(own.issuers, { scope: 'jobs:read' }),
      ...[true, false].map((csrf) => cookies(`${mine.Authorization}`.slice(7), { csrf })),
      cookies(await own.issuers.token('session', { org: TENANT })),
    ],
  };
  const writes = () => own.store.calls('create') + own.store.calls('update') + own.published.length;

  async function send({ method, path, headers, body }: FuzzRequest): Promise<{ status: number; text: string }> {
    const sized = body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) };
    const init = { method, headers: { ...sized, ...headers }, ...(body === undefined ? {} : { body }) };
    // What waits, waits on the clock.
    const waits = /stream|wait|generate-prompt\b(?!-)/i.test(path + (headers.Prefer ?? ''));
    const asked = Promise.resolve(own.app.request(path, init));
    const response = await (waits ? own.clock.until(asked) : asked);
    if (!/event-stream/.test(response.headers.get('content-type') ?? ''))
      return { status: response.status, text: await response.text() };
    await response.body?.cancel();
    return { status: response.status, text: '' };
  }

  try {
    for (let n = 0; n < requests; n++) {
      const request = fuzzRequest(seed, n, world);
      const before = writes();
      const { status, text } = await send(request).catch((error: unknown) => ({ status: 0, text: String(error) }));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      // One endpoint waits for its job, which nobody runs here.
      const isWaited = status === 504;
      const isBroken = status === 0 || (status >= 500 && !isWaited) || text.includes('canary');
      const isStored = status >= 400 && !isWaited && writes() !== before && !BY_THE_STORE.test(text);
      if (isBroken || isStored) {
        const shown = JSON.stringify({ ...request, headers: undefined }).slice(0, 500);
        throw new Error(
          `seed ${seed}, request ${n}: ${status} ${isStored ? 'stored ' : ''}${text.slice(0, 500)}; ${shown}`,
        );
      }
    }
    await overSockets();
    expect(strays).toEqual([]);
    expect(Object.getOwnPropertyNames(Object.prototype).join()).toBe(prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(process.memoryUsage().heapUsed - heapBefore).toBeLessThan(HEAP_BYTES_MOST);
    const faults = own.lines.filter((line) => line.includes('request-failed'));
    expect(faults.slice(0, 3)).toEqual([]);
    return { statuses, requests, sockets };
  } finally {
    process.off('unhandledRejection', onStray);
    await own.close();
  }

  /** Conversations that no client library would have, some at a time; then the service answers as before. */
  async function overSockets(): Promise<void> {
    const { baseUrl, close } = await listen(own.app.fetch, { host: '127.0.0.1', port: 0 });
    const port = Number(new URL(baseUrl).port);
    const conversations = rawConversations(job.id, `Authorization: ${mine.Authorization}\r\n`);
    const before = writes();
    for (let done = 0; done < sockets; done += AT_ONCE) {
      const some = Array.from(
        { length: Math.min(AT_ONCE, sockets - done) },
        (_, index) => (seed + done + index) % conversations.length,
      );
      const answers = await Promise.all(some.map((index) => converse(port, conversations[index]?.parts ?? [])));
      for (const [index, answer] of answers.entries()) {
        const name = conversations[some[index] ?? 0]?.name;
        expect([name, answer.match(/^HTTP\/1\.1 5\d\d/m)?.[0]]).toEqual([name, undefined]);
        expect([name, /^(set-cookie: evil|injected:)/im.test(answer)]).toEqual([name, false]);
      }
    }
    expect(writes()).toBe(before);
    expect((await fetch(`${baseUrl}/health`)).status).toBe(200);
    await Promise.race([close(), new Promise((resolve) => setTimeout(resolve, SILENCE_MS))]);
  }
}

/** Says it all, listens until there is silence, and goes. */
function converse(port: number, parts: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    let heard = '';
    const socket = connect(port, '127.0.0.1');
    const end = () => {
      clearTimeout(silence);
      clearTimeout(longest);
      socket.destroy();
      resolve(heard);
    };
    let silence = setTimeout(end, 4 * SILENCE_MS);
    const longest = setTimeout(end, ANSWER_MS);
    socket.on('data', (bytes) => {
      heard += bytes.toString('latin1');
      clearTimeout(silence);
      silence = setTimeout(end, SILENCE_MS);
    });
    socket.on('close', end).on('error', end);
    for (const [index, part] of parts.entries())
      setTimeout(() => socket.writable && socket.write(part, 'latin1'), index * 5);
  });
}
