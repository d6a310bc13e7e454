/** Breaks the service, and follows what becomes of its victims; they are kept for this tab, so that a reload goes on. */
import { useSyncExternalStore } from 'react';
import { type LlmJobsError, newJobId } from '../../../shared/client/client.ts';
import { sender } from '../../../shared/client/requests.ts';
import { followEvents } from '../event-stream.ts';
import { keep, readKept } from '../kept.ts';
import { clientOptions, deletionHearers, jobs } from '../service.ts';
import type { BreakItState } from './break-it-state.ts';
import {
  changed,
  type Deed,
  FROZEN_SECONDS,
  isDue,
  isOver,
  leftMs,
  MESSAGES,
  newVictim,
  recordedCalls,
  submissionOf,
  type Victim,
  type VictimEvent,
} from './victim.ts';

const KEPT_AS = 'victims';
const KEPT_MOST = 30;

type Breaking = {
  /** Absent where nothing can be broken. */
  state?: BreakItState;
  /** The newest first. */
  victims: readonly Victim[];
};

let now: Breaking = { victims: [] };
let isOpen = false;
/** Of victims that are looked at anew. */
const checked = new Set<string>();
const hearers = new Set<() => void>();

function become(change: Partial<Breaking>): void {
  now = { ...now, ...change };
  if (change.victims) keep(KEPT_AS, change.victims);
  for (const hear of hearers) hear();
}

/** Takes an event in, and does what is due then. */
function hear(jobId: string, event: VictimEvent): void {
  const before = now.victims.find((each) => each.jobId === jobId);
  const next = before && changed(before, event);
  if (!next || next === before) return;
  become({ victims: now.victims.map((each) => (each === before ? next : each)) });
  if (isDue(next)) void doTo(next);
}

async function doTo({ jobId, deed }: Victim): Promise<void> {
  hear(jobId, { type: 'doing' });
  const body =
    deed === 'deliver'
      ? { job_id: jobId, times: MESSAGES }
      : deed === 'freeze_store'
        ? { seconds: FROZEN_SECONDS }
        : {};
  const request = { method: 'POST', path: `/break-it/${deed.replace('_', '-')}/`, body: JSON.stringify(body) } as const;
  await jobs.request(request).catch((error: LlmJobsError) => {
    // Whoever kills may get no answer.
    if (deed !== 'kill_worker' || error.code !== 'no_answer') hear(jobId, { type: 'undone', why: error.message });
  });
}

/** Submits a victim, where that is not known to have been done, and follows it to its end. */
async function follow(of: Victim, model: string): Promise<void> {
  const { jobId } = of;
  const timeoutMs = leftMs(of, Date.now());
  try {
    if (of.phase === 'sent') {
      await jobs.submit(submissionOf(of, model), { jobId, timeoutMs });
      hear(jobId, { type: 'taken' });
    }
  } catch (error) {
    return hear(jobId, { type: 'refused', why: (error as Error).message });
  }
  try {
    for await (const event of jobs.stream(jobId, { timeoutMs })) {
      if ('job' in event) hear(jobId, { type: 'seen', job: event.job });
      if ('soFar' in event && event.soFar !== '') hear(jobId, { type: 'text' });
    }
  } catch (error) {
    await look(jobId, (error as LlmJobsError).code === 'wait_timeout');
  }
}

/** Asks for a victim as it is now. */
async function look(jobId: string, mustBeOver: boolean): Promise<boolean> {
  try {
    const job = await jobs.get(jobId);
    hear(jobId, { type: 'seen', job });
    if (mustBeOver && !job.is_complete) hear(jobId, { type: 'overdue' });
    return true;
  } catch (error) {
    const isMissing = (error as LlmJobsError).code === 'job_not_found';
    if (isMissing) hear(jobId, { type: 'missing' });
    return isMissing;
  }
}

/**
 * A call is recorded before it is made. So where more were counted than we have seen recorded, the job as it is from now on
 * must have them.
 */
async function lookInto(jobId: string, calls: number): Promise<void> {
  if (checked.has(jobId)) return;
  checked.add(jobId);
  const wasSeen = await look(jobId, false);
  checked.delete(jobId);
  const found = now.victims.find((each) => each.jobId === jobId);
  if (wasSeen && found?.job && recordedCalls(found) < calls) hear(jobId, { type: 'unrecorded' });
}

function takeState(state: BreakItState): void {
  become({ state });
  for (const each of now.victims) {
    const isFreezing = each.deed === 'freeze_store' && each.times > 0 && !isOver(each);
    if (state.frozen && isFreezing) hear(each.jobId, { type: 'frozen' });
    const calls = state.calls[each.jobId] ?? 0;
    if (calls > recordedCalls(each) && !each.isUnrecorded) void lookInto(each.jobId, calls);
  }
}

export const breaking = {
  /** Asks once whether anything can be broken here; where it can, goes on with the victims of before. */
  async open(): Promise<void> {
    if (isOpen) return;
    isOpen = true;
    const state = await jobs.request<BreakItState>({ path: '/break-it/' }).catch(() => undefined);
    if (!state) return;
    become({ victims: (readKept(KEPT_AS) ?? []) as Victim[] });
    deletionHearers.add((jobId) => become({ victims: now.victims.filter((each) => each.jobId !== jobId) }));
    takeState(state);
    for (const each of now.victims) if (!isOver(each)) void follow(each, state.model);
    // It breaks when the service does, and comes back.
    const event = (_name: string, data: unknown) => takeState(data as BreakItState);
    await followEvents(sender(clientOptions), '/break-it/stream/', { event }, new AbortController().signal);
  },

  begin(deed: Deed): void {
    if (!now.state) return;
    const next = newVictim(deed, newJobId(), Date.now());
    become({ victims: [next, ...now.victims].slice(0, KEPT_MOST) });
    void follow(next, now.state.model);
  },
};

const subscribe = (hear: () => void) => {
  hearers.add(hear);
  return () => hearers.delete(hear);
};

export function useBreaking(): Breaking {
  return useSyncExternalStore(subscribe, () => now);
}
