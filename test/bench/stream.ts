/**
 * `npm run bench:stream`: how long a token takes from the provider's socket to a reader's, embedded and on the emulators
 * with separate processes, beside what Firestore alone takes to tell a listener of a write; and what a reader costs that
 * waits. Without the emulators only the embedded part runs.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundleAll } from '../../infra/bundle.ts';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { EmulatorsMissing, findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import { startEmulatorStack } from '../../infra/emulators.ts';
import { readConfig } from '../../shared/config.ts';
import { request, submit, warmUp } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';
import { startScriptedProvider } from '../support/scripted-provider.ts';
import { openStream } from '../support/sse-client.ts';
import { firestoreStores } from '../support/stores.ts';

const ROUNDS = 5;
const TOKENS = 60;
const TOKEN_EVERY_MS = 50;
const READERS = 500;
const EMULATOR_FLUSH_MS = 250;
const EMBEDDED_FLUSH_MS = 10;
/** In a system that does nothing a token would wait half of a flush interval. */
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const nowMs = () => performance.timeOrigin + performance.now();

/** Says what time it is, token by token. */
const provider = await startScriptedProvider();
provider.answerWith(async ({ stream, write, response }) => {
  stream();
  const say = (choice: object) =>
    write(
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', choices: [{ index: 0, ...choice }] })}\n\n`,
    );
  for (let token = 0; token < TOKENS; token++) {
    await say({ delta: { content: `${nowMs().toFixed(3)} ` } });
    await pause(TOKEN_EVERY_MS);
  }
  await say({ delta: {}, finish_reason: 'stop' });
  response.end('data: [DONE]\n\n');
});
const clocked = {
  OPENAI_COMPATIBLE_BASE_URL: `${provider.url}/v1`,
  OPENAI_COMPATIBLE_API_KEY: 'none',
  OPENAI_COMPATIBLE_MODELS: 'clock',
};

/** How long each token of one job took to its reader. */
async function tokensOf(baseUrl: string): Promise<number[]> {
  const id = await submit(baseUrl, { ...request('clock', 'What time is it?'), stream: true });
  const stream = await openStream(baseUrl, id);
  const took: number[] = [];
  for (let heard = await stream.next(); heard; heard = await stream.next()) {
    if (heard.event !== 'delta') continue;
    const atMs = nowMs();
    for (const said of heard.data.text.trim().split(' ')) took.push(atMs - Number(said));
  }
  return took;
}

async function latencies(baseUrl: string): Promise<number[]> {
  // The first one opens connections.
  await tokensOf(baseUrl);
  const took: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    process.stderr.write(`\rtokens, round ${round + 1} of ${ROUNDS} `);
    took.push(...(await tokensOf(baseUrl)));
  }
  return took;
}

/** Kilobytes of memory that each of many readers costs who wait for one job, or each for one of their own. */
async function readers(baseUrl: string, pid: number, jobs: number): Promise<number> {
  const ids: string[] = [];
  for (let job = 0; job < jobs; job++) {
    ids.push(await submit(baseUrl, { ...request('simulated', 'Wait. [simulate seconds=300]'), stream: true }));
  }
  await pause(3_000);
  const before = rssKilobytes(pid);
  const open = [];
  for (let reader = 0; reader < READERS; reader++) {
    const stream = await openStream(baseUrl, ids[reader % jobs] ?? '');
    await stream.next();
    open.push(stream);
  }
  await pause(5_000);
  const after = rssKilobytes(pid);
  for (const stream of open) stream.leave();
  for (const id of ids) await fetch(`${baseUrl}/api/llm/jobs/${id}/cancel/`, { method: 'POST' });
  return (after - before) / READERS;
}

function rssKilobytes(pid: number): number {
  return Number(spawnSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' }).stdout);
}

/** What Firestore alone takes from a write's begin to a listener in the same process. */
async function firestoreFloor(emulatorHost: string): Promise<number[]> {
  const stores = firestoreStores({ projectId: 'demo-floor', emulatorHost });
  const key = { tenant: 'default', id: crypto.randomUUID() };
  const took: number[] = [];
  const stop = stores.chunks.watch(key, 1, 0, (chunks) => {
    for (const { text } of chunks) took.push(nowMs() - Number(text));
  });
  await pause(2_000);
  for (let n = 1; n <= ROUNDS * TOKENS; n++) {
    await stores.chunks.put(key, { attempt: 1, n, text: nowMs().toFixed(3) }, Date.now() + 60_000);
    await pause(20);
  }
  await pause(500);
  stop();
  await stores.close();
  return took;
}

function row(took: number[], allowedMs?: number) {
  const sorted = [...took].sort((left, right) => left - right);
  const at = (share: number) => Math.round((sorted[Math.floor(sorted.length * share)] ?? Number.NaN) * 10) / 10;
  return {
    'median ms': at(0.5),
    '90 % ms': at(0.9),
    'longest ms': at(0.999),
    tokens: took.length,
    'allowed ms': allowedMs,
  };
}

const times: Record<string, ReturnType<typeof row>> = {};
const memory: Record<string, { 'KB per reader': number }> = {};
const remember = (name: string, kilobytes: number) => {
  memory[name] = { 'KB per reader': Math.round(kilobytes) };
};

const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-bench-'));
const environment = {
  PORT: String(await freePort()),
  DATABASE_URL: join(folder, 'jobs.db'),
  WORKER_CONCURRENCY: '1000',
};
const local = await startLocalProcess({ ...clocked, ...environment });
times[`embedded, flush ${EMBEDDED_FLUSH_MS} ms`] = row(await latencies(local.baseUrl), 20);
remember(`embedded, ${READERS} readers of one job`, await readers(local.baseUrl, local.child.pid ?? 0, 1));
await stopGroup(local.child);
rmSync(folder, { recursive: true });

try {
  process.env.METADATA_SERVER_DETECTION = 'none';
  const commands = findEmulators();
  const [pubsub, firestore] = await Promise.all([
    startEmulator(commands, 'pubsub'),
    startEmulator(commands, 'firestore'),
    bundleAll(),
  ]);
  const config = readConfig({ PORT: '0', WORKER_CONCURRENCY: '1000' });
  const hosts = { PUBSUB_EMULATOR_HOST: pubsub.host, FIRESTORE_EMULATOR_HOST: firestore.host };
  const stack = await startEmulatorStack({
    ...{ config, pubsubHost: pubsub.host, firestoreHost: firestore.host, onLine: () => {} },
    environment: { ...clocked, ...hosts, GOOGLE_CLOUD_PROJECT: config.projectId },
  });
  await warmUp(stack.baseUrl);
  times['Firestore alone: a write, heard by a listener'] = row(await firestoreFloor(firestore.host));
  times[`emulators, flush ${EMULATOR_FLUSH_MS} ms`] = row(await latencies(stack.baseUrl), EMULATOR_FLUSH_MS + 50);
  const pid = () => stack.functions.stream.child().pid ?? 0;
  remember(`function stream, ${READERS} readers of one job`, await readers(stack.baseUrl, pid(), 1));
  remember(`function stream, ${READERS} readers of ${READERS} jobs`, await readers(stack.baseUrl, pid(), READERS));
  await stack.stop();
  await Promise.all([pubsub.stop(), firestore.stop()]);
} catch (error) {
  if (!(error instanceof EmulatorsMissing)) throw error;
  console.error(error.message);
}
await provider.stop();
process.stderr.write('\r');
console.table(times);
console.table(memory);
process.exit(0);
