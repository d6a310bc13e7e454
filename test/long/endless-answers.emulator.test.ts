/** W08: a provider whose answer never ends, and a worker process with a small heap: the job fails, and nobody else notices. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { PROTOCOLS } from '../providers/protocols.ts';
import { startTestStack, type TestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { pollToEnd, pollUntil, request, submit, type View, warmUp } from '../support/http-client.ts';
import { type ScriptedProvider, startScriptedProvider } from '../support/scripted-provider.ts';

const HEAP_MB = 192;
/** The heap, Node itself, and buffers on their way. */
const MEMORY_MB_MOST = 512;
const PATIENCE_MS = 120_000;
const [RESPONSES] = PROTOCOLS;
const KILOBYTE = 'x'.repeat(1_024);
const isProcessing = (view: View) => view.status === 'processing';

/** What is sent first, and then again and again. */
const ENDLESS: Record<string, { status: number; type: string; opening: string; piece: string }> = {
  text: {
    ...{ status: 200, type: 'text/event-stream' },
    ...{ opening: RESPONSES?.opening ?? '', piece: RESPONSES?.delta(KILOBYTE) ?? '' },
  },
  'an event without an end': {
    ...{ status: 200, type: 'text/event-stream' },
    ...{ opening: `${RESPONSES?.opening}data: {"type":"response.output_text.delta","delta":"`, piece: KILOBYTE },
  },
  'signs of life': {
    ...{ status: 200, type: 'text/event-stream' },
    ...{ opening: RESPONSES?.opening ?? '', piece: `: ${KILOBYTE.repeat(64)}\n\n` },
  },
  'a document': {
    ...{ status: 200, type: 'application/json' },
    ...{ opening: '{"output":[{"type":"message","content":[{"type":"output_text","text":"', piece: KILOBYTE },
  },
  'an error': { status: 400, type: 'application/json', opening: '{"error":{"message":"', piece: KILOBYTE },
};

describeOnEmulators('W08: on the emulators,', () => {
  let provider: ScriptedProvider;
  let stack: TestStack;

  beforeAll(async () => {
    provider = await startScriptedProvider();
    stack = await startTestStack({
      ...{ OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: `${provider.url}/v1` },
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} --max-old-space-size=${HEAP_MB}`,
    });
    await warmUp(stack.baseUrl);
  });
  afterAll(async () => {
    await stack?.stop();
    await provider?.stop();
  });

  test.each(Object.keys(ENDLESS))('%s', async (kind) => {
    const endless = ENDLESS[kind];
    if (!endless) throw new Error('no such answer');
    let sentMb = 0;
    provider.answerWith(async ({ response }) => {
      response.writeHead(endless.status, { 'content-type': endless.type });
      response.write(endless.opening);
      sentMb = (await flood(response, endless.piece)) / 1e6;
    });
    const { child } = stack.functions.worker;
    const { pid } = child();
    const neighbours = await Promise.all(
      [1, 2, 3].map((n) => submit(stack.baseUrl, request('simulated', `Neighbour ${n}. [simulate seconds=5]`))),
    );
    await Promise.all(neighbours.map((id) => pollUntil(stack.baseUrl, id, isProcessing)));
    const abandoned = provider.abandoned();
    const id = await submit(stack.baseUrl, request('gpt-4o-mini', `Endless: ${kind}`));
    expect(await pollToEnd(stack.baseUrl, id, PATIENCE_MS)).toMatchObject({
      status: 'failed',
      error_code: 'response_too_large',
      attempts: [{ n: 1, calls: 1, outcome: 'failed', error_code: 'response_too_large' }],
    });
    // It would have gone on.
    await expect.poll(() => provider.abandoned()).toBe(abandoned + 1);
    await expect.poll(() => sentMb).toBeGreaterThan(10);
    for (const neighbour of neighbours) {
      expect(await pollToEnd(stack.baseUrl, neighbour)).toMatchObject({
        status: 'completed',
        attempts: [{ n: 1, calls: 1, outcome: 'completed' }],
      });
    }
    expect(child().pid).toBe(pid);
    expect(mostMb(pid)).toBeLessThan(MEMORY_MB_MOST);
  });
});

/** Sends for as long as the other side takes it, and answers how many bytes that were. */
async function flood(response: ServerResponse, piece: string): Promise<number> {
  let bytes = 0;
  const closed = once(response, 'close');
  while (!response.closed) {
    bytes += piece.length;
    if (!response.write(piece)) await Promise.race([once(response, 'drain'), closed]);
  }
  return bytes;
}

/** The most that a process ever held. */
function mostMb(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1_024;
}
