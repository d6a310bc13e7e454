/**
 * The slots of a tenant on Firestore: one document in the collection `slots`, with a map of who runs and a map of what is
 * waited for. A slot is given back by a write of its field alone, which nobody else's write can get in the way of.
 */
import type { JobChanges, JobKey } from '../core/job.ts';
import { givesBack, type Slot, type SlotChange, type SlotSet } from '../core/slots.ts';
import type { Found } from './firestore-database.ts';
import { fromFields, fromRevision, toFields, toRevision } from './firestore-document.ts';

export function slotsName(root: string, tenant: string): string {
  return `${root}/slots/${tenant}`;
}

/** The slots in a tenant's document, if there is one. */
export function slotsIn(found: Found | undefined): SlotSet {
  if (!found) return { running: {}, expired: [], waiting: [], revision: undefined };
  const { document, readAtMs } = found;
  const { running = {}, waiting = {} } = fromFields(document.fields ?? {}) as unknown as Partial<StoredSlots>;
  const slots = Object.entries(running);
  return {
    running: Object.fromEntries(slots.filter(([, { expiresAt }]) => expiresAt > readAtMs)),
    expired: slots.filter(([, { expiresAt }]) => expiresAt <= readAtMs).map(([id]) => id),
    waiting: Object.keys(waiting),
    revision: toRevision(document.updateTime ?? {}),
  };
}

type StoredSlots = { running: Record<string, Slot>; waiting: Record<string, true> };

/** What a change of a job does to its tenant's slots: at most one write. */
export function slotWrites(root: string, { tenant, id }: JobKey, changes: JobChanges, slot: SlotChange | undefined) {
  const name = slotsName(root, tenant);
  const write = (fields: Partial<StoredSlots>, fieldPaths: string[], seen?: SlotSet) => ({
    update: { name, fields: toFields(fields) },
    // A field in the mask that is not among those given is removed.
    updateMask: { fieldPaths },
    ...(seen
      ? { currentDocument: seen.revision ? { updateTime: fromRevision(seen.revision) } : { exists: false } }
      : {}),
  });
  const back = givesBack(changes) ? [pathOf('running', id)] : [];
  if (!slot) return back.length > 0 ? [write({}, back)] : [];
  if ('waitFor' in slot) {
    return [write({ waiting: { [slot.waitFor]: true } }, [...back, pathOf('waiting', slot.waitFor)])];
  }
  const { take: model, seen, over = [] } = slot;
  const gone = seen.expired.filter((other) => other !== id).map((other) => pathOf('running', other));
  const paths = [pathOf('running', id), ...gone, ...over.map((what) => pathOf('waiting', what))];
  return [write({ running: { [id]: { model, expiresAt: changes.slotUntil ?? 0 } } }, paths, seen)];
}

/** Ids and models hold signs that a path takes only in backticks. */
function pathOf(map: keyof StoredSlots, name: string): string {
  return `${map}.\`${name.replace(/[\\`]/g, '\\$&')}\``;
}
