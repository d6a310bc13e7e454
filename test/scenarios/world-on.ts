/** Makes a world on a store and a queue: who is in it, what is counted, how time comes to a job. */
import { expect } from 'vitest';
import { memoryWindowLimiter } from '../../shared/adapters/memory-window-limiter.ts';
import type { Job, JobKey } from '../../shared/core/job.ts';
import type { Outbox } from '../../shared/core/notices.ts';
import { valueIn } from '../../shared/core/parts.ts';
import type { JobQueue } from '../../shared/core/ports.ts';
import { chance } from '../simulation/random.ts';
import { ADA } from '../support/core-world.ts';
import { accountCheck } from './account-invariants.ts';
import { type Instance, type InstanceOptions, startInstance } from './instance.ts';
import { callsRecorded, checkInvariants, type RecordedWrite, recorded } from './invariants.ts';
import { checkAnswered, checkLeaders } from './leader-invariants.ts';
import { promptOf, providerDouble } from './provider-double.ts';
import { receiverDouble } from './receiver-double.ts';
import type { Ground, World, WorldOptions } from './world.ts';

export function worldOn(ground: Ground, options: WorldOptions): World {
  const { retry, provider: given, limits, requestsPerMinute, credits, checkParts, hasTopic } = options;
  const { isVirtual, clock, store, accounts, chunks, parts, leaders, queue, leaseMs, wakeShards, pass, until } = ground;
  const provider = providerDouble(clock);
  const receiver = receiverDouble(clock);
  const windowLimiter = memoryWindowLimiter({ clock });
  const published: JobKey[] = [];
  const { tenant } = ADA;
  const purse = accountCheck(store, accounts, tenant, isVirtual);
  let delivered = 0;
  let skippedMs = 0;
  const writes: RecordedWrite[] = [];
  /** A deleted job does not tell its own any more. */
  const prompts = new Map<string, string>();
  const tenants = new Set<string>();
  const lines: string[] = [];
  const instances: Instance[] = [];
  const random = chance(7).next;
  const countedQueue: JobQueue = {
    async publish(key) {
      await queue.publish(key);
      published.push({ tenant: key.tenant, id: key.id });
    },
  };

  function instance(options: InstanceOptions = {}): Instance {
    const name = `instance-${instances.length + 1}`;
    const around = {
      ...{ name, clock, leaseMs, wakeShards, random, lines, retry: { ...ground.retry, ...retry } },
      ...{
        store: recorded(credits ? purse.store : store, name, writes),
        queue: countedQueue,
        provider: given ?? provider.port,
      },
      ...{ chunks, parts, leaders, estimateStore: ground.estimateStore, limits, accounts, credits },
      ...{ requestsPerMinute, windowLimiter, skippedMs: () => skippedMs },
      ...{ webhooks: receiver.webhooks, eventsTopic: hasTopic ? receiver.eventsTopic : undefined },
    };
    const made = startInstance(around, options);
    instances.push(made);
    return made;
  }
  const main = instance();

  async function found(key: JobKey) {
    const stored = await store.get(key);
    if (!stored) throw new Error(`there is no job ${key.id}`);
    return stored;
  }

  /** Again until no heartbeat came in between. */
  async function poke(key: JobKey, changesOf: (job: Job) => Partial<Job>): Promise<void> {
    for (let tries = 0; tries < 20; tries++) {
      const { job, revision } = await found(key);
      if ('written' in (await store.update(key, revision, changesOf(job)))) return;
    }
    throw new Error('the document changed too often');
  }

  /** Of a deleted job: none, when all who may have written them have ended. */
  async function checkNoChunks(job: Job): Promise<void> {
    for (let attempt = 1; attempt <= job.attempt; attempt++) expect(await chunks.list(job, attempt, 0)).toEqual([]);
  }

  let serial = 0;
  return {
    ...{
      isVirtual,
      clock,
      leaseMs,
      pass,
      until,
      main,
      instance,
      provider,
      receiver,
      writes,
      lines,
      ground: store,
      chunks,
      parts,
      leaders,
      doorbells: published,
    },

    callsOf: ({ questionId }) => provider.calls(questionId),
    answerTo: ({ questionId = '' }, nth) => provider.open(questionId, nth),
    async submit(over = {}, principal = ADA) {
      const input = over.input ?? { prompt: `job ${++serial}` };
      const plain = { jobType: 'general_llm_request', model: 'simulated', questionId: promptOf(input) };
      const { job } = await main.service.submit(principal, { ...plain, ...over, input });
      prompts.set(job.id, promptOf(input));
      tenants.add(principal.tenant);
      return job;
    },
    async fund(tokens, settings, user = ADA.user) {
      const isNew = !(await accounts.get({ tenant, user }));
      if (settings || isNew) await accounts.put({ tenant, user }, settings ?? { subscription: 'active' });
      if (tokens !== 0) await purse.grant(user, tokens);
    },
    async account(user = ADA.user) {
      const stored = await accounts.get({ tenant, user });
      if (!stored) throw new Error(`${user} has no account`);
      return stored.account;
    },
    accountLooks: purse.looks,
    deliver: (key, by = main) => until(by.run(key)),
    async deliverRung(by = main) {
      const rung = published.slice(delivered);
      delivered = published.length;
      return until(Promise.all(rung.map((key) => by.run(key))));
    },
    published: (key) => published.filter(({ id }) => key === undefined || id === key.id).length,
    read: async (key) => (await found(key)).job,

    async makeDue(key) {
      const { job, readAtMs } = await found(key);
      if (job.wakeAt === null) throw new Error(`nothing is left to do for job ${key.id}`);
      const waitMs = job.wakeAt - readAtMs + 1;
      if (waitMs <= 0) return;
      if (isVirtual) return pass(waitMs);
      // On the machine's clock nobody waits so long: everything that is to come comes sooner.
      skippedMs += waitMs;
      const sooner = (atMs: number | undefined) => (atMs === undefined ? undefined : atMs - waitMs);
      await poke(
        key,
        ({ wakeAt, leaseExpiresAt, nextAttemptAt, cancelRequestedAt, payloadsExpireAt, tries, outbox }) => ({
          wakeAt: wakeAt === null ? null : wakeAt - waitMs,
          ...(outbox === undefined ? {} : { outbox: outboxSooner(outbox, waitMs) }),
          leaseExpiresAt: leaseExpiresAt === null ? null : leaseExpiresAt - waitMs,
          ...(tries === undefined ? {} : { tries: tries.map((one) => ({ ...one, retryAt: sooner(one.retryAt) })) }),
          ...(nextAttemptAt === undefined ? {} : { nextAttemptAt: nextAttemptAt - waitMs }),
          ...(payloadsExpireAt === undefined ? {} : { payloadsExpireAt: payloadsExpireAt - waitMs }),
          ...(cancelRequestedAt === undefined ? {} : { cancelRequestedAt: cancelRequestedAt - waitMs }),
        }),
      );
    },

    async eventually(isSo) {
      const stepMs = isVirtual ? 1 : 10;
      for (let waitedMs = 0; waitedMs <= 20_000; waitedMs += stepMs) {
        if (await isSo()) return;
        await pass(waitedMs === 0 && isVirtual ? 0 : stepMs);
      }
      throw new Error('it did not come about');
    },
    poke: (key, changes) => poke(key, () => changes),

    jobs: async () => (await store.list({ tenant: ADA.tenant, limit: 20_000, offset: 0 })).map(({ job }) => job),
    async check() {
      await purse.check();
      const writesOf = new Map<string, RecordedWrite[]>();
      for (const write of writes) writesOf.set(write.id, [...(writesOf.get(write.id) ?? []), write]);
      const all = (await store.list({ tenant: ADA.tenant, limit: 20_000, offset: 0 })).map(({ job }) => job);
      const byId = new Map<string | undefined, Job>(all.map((job) => [job.id, job]));
      const foreign = [...tenants].filter((name) => name !== ADA.tenant);
      const lists = foreign.map((name) => store.list({ tenant: name, limit: 20_000, offset: 0 }));
      const asking = new Map<string | undefined, Job[]>();
      for (const job of [...all, ...(await Promise.all(lists)).flat().map((found) => found.job)]) {
        const prompt = prompts.get(job.id);
        if (prompt !== undefined) asking.set(prompt, [...(asking.get(prompt) ?? []), job]);
      }
      for (const job of all) {
        const stored = await store.getWithInput(job);
        if (!stored) continue;
        const asked = provider.calls(prompts.get(job.id) ?? promptOf(stored.input)).length;
        // A job and the one that was made of it have one prompt.
        const linked = [job.redriveOf, job.redrivenAs].flatMap((id) => byId.get(id) ?? []);
        // So have those that ask the same.
        linked.push(...(asking.get(prompts.get(job.id)) ?? []).filter((other) => other.id !== job.id));
        const calls = asked - linked.reduce((sum, one) => sum + callsRecorded(one), 0);
        if ((job.deletedAt ?? job.payloadsRemovedAt) !== undefined) await checkNoChunks(job);
        // Whatever died when: what a document names is there, as it was stored.
        const named = checkParts === false ? [] : Object.values(job.parts ?? {});
        for (const set of named) if (set) await valueIn(parts, job, set);
        checkInvariants(stored, writesOf.get(job.id) ?? [], calls);
        checkAnswered(job, byId.get(job.answerOf?.id));
      }
      checkLeaders(all);
    },
    async close() {
      for (const { die, worker, service } of instances) {
        service.close();
        worker.close();
        die();
      }
      await ground.close();
    },
  };
}

function outboxSooner(outbox: Outbox, ms: number): Outbox {
  const { lifeWakeAt, dueAt, wakeAt, patientUntil } = outbox;
  const sooner = { dueAt: dueAt - ms, wakeAt: wakeAt - ms, lifeWakeAt: lifeWakeAt === null ? null : lifeWakeAt - ms };
  return { ...outbox, ...sooner, ...(patientUntil === undefined ? {} : { patientUntil: patientUntil - ms }) };
}
