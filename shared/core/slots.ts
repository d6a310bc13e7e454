/**
 * Slots: how many jobs of a tenant run at once, in all and on each model, where somebody set a limit. Whose turn it is
 * follows from the slot set of the tenant alone. Pure.
 */
import type { Job, JobChanges } from './job.ts';
import { routeOf } from './routes.ts';

/** All models together. */
export const ALL_MODELS = '*';

/** How many jobs may run at once, by `model`, `*`, `tenant/model` or `tenant/*`. Of two that apply, the tenant's own does. */
export type RunningLimits = ReadonlyMap<string, number>;

/** A slot that a job has, by the name that the provider knows its model by. */
export type Slot = { model: string; expiresAt: number };

/** The slots of one tenant, as they were when they were read. */
export type SlotSet = {
  /** Those that had not expired, by job id. */
  running: Readonly<Record<string, Slot>>;
  /** The jobs whose slots had expired and were not given back. */
  expired: readonly string[];
  /** What jobs are, or were a moment ago, parked for: `*`, or models. */
  waiting: readonly string[];
  /** Names this state of the set; `undefined`: there is none yet. */
  revision: string | undefined;
};

/** What happens to a tenant's slot set in the commit that changes a job. */
export type SlotChange =
  /**
   * The job takes a slot of its model until `changes.slotUntil`, provided that the set is still as it was `seen`. Expired
   * slots go, and so does the word that anybody waits for `over`.
   */
  | { take: string; seen: SlotSet; over?: readonly string[] }
  /** Somebody waits for this now, whatever has become of the set. */
  | { waitFor: string };

/** Longer than any delivery may keep its job (590 s, and patience for its last write): heartbeats leave slots alone. */
export const SLOT_MS = 900_000;
/** For how long a slot is kept for a promoted job: its doorbell's grace, and a sweep that rings once more. */
export const RESERVATION_MS = 90_000;

/** The limit of a tenant for one model, or for all; `undefined`: there is none. */
export function limitOn(limits: RunningLimits, tenant: string, model: string): number | undefined {
  return limits.get(`${tenant}/${model}`) ?? limits.get(model);
}

/** By its tenant and the model of its route. */
type Routed = Pick<Job, 'tenant' | 'model' | 'fallbacks' | 'route'>;

/** The model that the job calls, as its provider names it: it is this one's slot that it needs. */
export function modelOf(job: Routed): string {
  return routeOf(job).model.model;
}

/** Is the number of running jobs such as this one limited at all? */
export function isLimited(limits: RunningLimits, job: Routed): boolean {
  return [ALL_MODELS, modelOf(job)].some((name) => limitOn(limits, job.tenant, name) !== undefined);
}

/** Is the slot of a job that goes to another route not the one that it needs there? */
export function needsOtherSlot(limits: RunningLimits, job: Routed, route: number): boolean {
  const [from, to] = [modelOf(job), modelOf({ ...job, route })];
  return from !== to && [from, to].some((name) => limitOn(limits, job.tenant, name) !== undefined);
}

/** Whose slots they are, and how many there may be. */
type Limited = { limits: RunningLimits; tenant: string; set: SlotSet };

/** What a job has to wait for, its model first; `undefined`: there is a slot for it. Its own is none against it. */
export function fullFor({ limits, tenant, set }: Limited, job: Routed & Pick<Job, 'id'>) {
  const full = (name: string) => isFull({ limits, tenant, set }, name, job.id);
  return [modelOf(job), ALL_MODELS].find(full);
}

/** What jobs wait for that could have a slot now: whoever is not among them comes after them. */
export function turnsIn({ limits, tenant, set }: Limited): string[] {
  if (isFull({ limits, tenant, set }, ALL_MODELS)) return [];
  return set.waiting.filter((name) => !isFull({ limits, tenant, set }, name));
}

/** What a job that would have room waits for when others come before it. */
export function lineOf(limits: RunningLimits, job: Routed): string {
  return limitOn(limits, job.tenant, ALL_MODELS) === undefined ? modelOf(job) : ALL_MODELS;
}

function isFull({ limits, tenant, set }: Limited, name: string, exceptId?: string): boolean {
  const limit = limitOn(limits, tenant, name);
  if (limit === undefined) return false;
  const others = Object.entries(set.running).filter(
    ([id, { model }]) => id !== exceptId && (name === ALL_MODELS || model === name),
  );
  return others.length >= limit;
}

/** The fields with which a job gives its slot back, if it has one. */
export function slotGivenBack({ slotUntil }: Job): JobChanges {
  return slotUntil === undefined ? {} : { slotUntil: undefined };
}

/** The fields with which a job does not wait for a slot any more, if it did. */
export function unparked({ parkedFor }: Job): JobChanges {
  return parkedFor === undefined ? {} : { parkedAt: undefined, parkedFor: undefined };
}

/** Does a change give a slot back? */
export function givesBack(changes: JobChanges): boolean {
  return 'slotUntil' in changes && changes.slotUntil === undefined;
}
