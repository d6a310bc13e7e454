/** All functions as processes on emulators of their own, which can be frozen, cut off and started again empty. */
import { setTimeout as pause } from 'node:timers/promises';
import { expect } from 'vitest';
import { type Emulator, findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import { startTcpProxy, type TcpProxy } from '../../infra/tcp-proxy.ts';
import { readConfig } from '../../shared/config.ts';
import type { Job } from '../../shared/core/job.ts';
import { googleRuntime } from '../../shared/runtime.ts';
import { LOCAL, startTestStack, type TestStack } from './emulator-stack.ts';
import { request, submit, warmUp } from './http-client.ts';
import { PACED, type PacedProvider, startPacedProvider } from './paced-provider.ts';

export type OutageWorld = TestStack & {
  firestore: Emulator;
  /** Between all function processes and Firestore. */
  wire: TcpProxy;
  provider: PacedProvider;
  pubsubHost: string;
  /** Ends Pub/Sub, with all topics and messages, and starts it again on its port. */
  restartPubsub(): Promise<void>;
  /** Makes a job, and takes the store away while its call is being made; answers its id when the answer is there. */
  answeredWithoutStore(fault: 'cut' | 'hold', prompt: string): Promise<string>;
  /** The document, past the wire. */
  read(id: string): Promise<Job>;
};

/** Starts it; `more` adds settings. */
export async function startOutageWorld(more: Record<string, string> = {}): Promise<OutageWorld> {
  const commands = findEmulators();
  const [firestore, pubsub, provider] = await Promise.all([
    startEmulator(commands, 'firestore'),
    startEmulator(commands, 'pubsub'),
    startPacedProvider(),
  ]);
  let currentPubsub = pubsub;
  const wire = await startTcpProxy(firestore.host);
  const stack = await startTestStack(
    { ...provider.environment, ...more },
    { pubsub: pubsub.host, firestore: wire.host },
  );
  await warmUp(stack.baseUrl);
  const settings = { ...stack.environment, FIRESTORE_EMULATOR_HOST: firestore.host, LOG_LEVEL: 'error' };
  const { service, close } = googleRuntime(readConfig(settings));
  return {
    ...stack,
    ...{ firestore, wire, provider, pubsubHost: pubsub.host },
    async restartPubsub() {
      await currentPubsub.stop();
      currentPubsub = await startEmulator(commands, 'pubsub', Number(pubsub.host.split(':')[1]));
    },
    async answeredWithoutStore(fault, prompt) {
      const id = await submit(stack.baseUrl, request(PACED, `${prompt} [seconds=3]`));
      await expect.poll(() => provider.callsAbout(prompt), { timeout: 20_000 }).toBe(1);
      const before = provider.answered();
      wire[fault]();
      await expect.poll(() => provider.answered(), { timeout: 20_000 }).toBe(before + 1);
      return id;
    },
    read: async (id) => (await service.read(LOCAL, id)).job,
    async stop() {
      wire.open();
      firestore.signal('SIGCONT');
      await Promise.all([stack.stop(), close()]);
      await Promise.all([wire.close(), provider.stop(), firestore.stop(), currentPubsub.stop()]);
    },
  };
}

/** One submit as its client saw it. */
export type Submitted = {
  prompt: string;
  jobId: string;
  /** When it was answered 202, … */
  takenMs: number;
  /** … and what was answered before that. */
  refusals: { status: number; retryAfter: string | null; jobId: string | undefined }[];
  /** The longest that one answer took. */
  slowestMs: number;
};

/**
 * Submits until it is taken in, as a careful client does: under one Idempotency-Key, or without one, and then with PUT to
 * the id that a refusal named.
 */
export async function submitCarefully(baseUrl: string, prompt: string, keyed: boolean): Promise<Submitted> {
  const refusals: Submitted['refusals'] = [];
  let slowestMs = 0;
  const body = JSON.stringify(request(PACED, prompt));
  const headers = { 'Content-Type': 'application/json', ...(keyed ? { 'Idempotency-Key': prompt } : {}) };
  let named: string | undefined;
  for (;;) {
    const sentMs = performance.now();
    const target = named && !keyed ? `jobs/${named}/` : 'jobs/submit/';
    const method = named && !keyed ? 'PUT' : 'POST';
    const response = await fetch(`${baseUrl}/api/llm/${target}`, { method, headers, body });
    const { job_id: jobId } = (await response.json()) as { job_id?: string };
    const takenMs = performance.now();
    slowestMs = Math.max(slowestMs, takenMs - sentMs);
    if (response.status === 202 && jobId) return { prompt, jobId, takenMs, refusals, slowestMs };
    named ??= jobId;
    const retryAfter = response.headers.get('Retry-After');
    refusals.push({ status: response.status, retryAfter, jobId });
    await pause(1_000 * Number(retryAfter ?? 1));
  }
}
