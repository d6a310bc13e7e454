/** The largest answers, and endless ones, over real sockets and the real SDKs: each SDK once. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { collect, RESULT_BYTES_MOST } from '../../shared/core/answers.ts';
import type { Answer } from '../../shared/core/llm.ts';
import { PROTOCOLS, type Protocol, USAGE } from '../providers/protocols.ts';
import { largeFrames, send } from '../support/large-answers.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';

const MEGABYTE = 1024 * 1024;
const DELTA_CHARACTERS = 4_000;
/** With quotes, line ends and characters of two, three and four bytes; a delta may end within one. */
const SENTENCE = 'The analysis "shows" that é 分析 👩‍🔬 all is fine.\n';
const TEXT = SENTENCE.repeat(Math.floor(RESULT_BYTES_MOST / (Buffer.byteLength(JSON.stringify(SENTENCE)) - 2)));

let server: ScriptedProvider;
beforeAll(async () => {
  server = await startScriptedProvider();
});
afterAll(() => server.stop());

function ask({ provider, model }: Protocol): Promise<Answer> {
  const request = { model, messages: [{ role: 'user' as const, content: 'Hi' }] };
  const parts = provider(server.url).generate(request, { signal: new AbortController().signal });
  return collect(parts, { facts: {}, text: '' });
}

function* endless(first: string, frame: string): Generator<string> {
  yield first;
  for (;;) yield frame;
}

const digest = (text: string) => createHash('sha256').update(text).digest('hex');

// Vertex AI speaks through OpenAI's.
describe.each(PROTOCOLS.filter(({ name }) => name !== 'vertex'))('$name', (protocol) => {
  const { opening, delta } = protocol;

  /** How much could be sent before the answer was refused, and by how much memory grew meanwhile. */
  async function refused(frames: Iterable<string>): Promise<{ sent: number; grew: number }> {
    let sent: Promise<number> = Promise.resolve(0);
    server.answerWith((exchange) => {
      sent = send(exchange, frames);
    });
    const held = () => process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
    const before = held();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, held());
    }, 10);
    await expect(ask(protocol)).rejects.toMatchObject({ code: 'response_too_large' });
    clearInterval(watch);
    return { sent: await sent, grew: most - before };
  }

  test('the largest answer comes through whole', async () => {
    server.answerWith((exchange) => void send(exchange, largeFrames(protocol, TEXT)));
    const { text, usage } = await ask(protocol);
    expect(Buffer.byteLength(JSON.stringify(text))).toBeGreaterThan(RESULT_BYTES_MOST - 100);
    expect(digest(text)).toBe(digest(TEXT));
    expect(usage).toEqual(USAGE);
  });

  test('an answer without an end is broken off', async () => {
    const { sent, grew } = await refused(endless(opening, delta('x'.repeat(DELTA_CHARACTERS))));
    expect(sent).toBeGreaterThan(RESULT_BYTES_MOST);
    expect(sent).toBeLessThan(4 * RESULT_BYTES_MOST);
    expect(grew).toBeLessThan(500 * MEGABYTE);
  });

  test('a line without an end is broken off', async () => {
    const { sent, grew } = await refused(endless(`${opening}data: "`, 'x'.repeat(64 * 1024)));
    expect(sent).toBeGreaterThan(3 * RESULT_BYTES_MOST);
    expect(sent).toBeLessThan(64 * MEGABYTE);
    expect(grew).toBeLessThan(500 * MEGABYTE);
  });

  test('lines without an end of their event are broken off', async () => {
    const { sent } = await refused(endless(opening, 'data: x\n'.repeat(8 * 1024)));
    expect(sent).toBeLessThan(64 * MEGABYTE);
  });
});
