/** The slots of tenants on SQLite: a row per slot, and one per tenant that names the state of them all. */
import type Database from 'libsql';
import type { JobChanges, JobKey } from '../core/job.ts';
import type { Clock } from '../core/ports.ts';
import { givesBack, type SlotChange, type SlotSet } from '../core/slots.ts';

type SetRow = { revision: number; waiting: string };
type SlotRow = { id: string; model: string; expiresAt: number };

export type SqliteSlots = {
  look(tenant: string): SlotSet;
  /** What a change of a job does to the slots, within a transaction; `false`: the set is not as it was seen. */
  apply(key: JobKey, changes: JobChanges, slot: SlotChange | undefined): boolean;
};

export function sqliteSlots(database: Database.Database, clock: Clock): SqliteSlots {
  const selectSet = database.prepare('SELECT revision, waiting FROM slot_sets WHERE tenant = ?');
  const selectSlots = database.prepare('SELECT id, model, expires_at AS expiresAt FROM slots WHERE tenant = ?');
  const writeSet = database.prepare(
    `INSERT INTO slot_sets (tenant, revision, waiting) VALUES (?, 1, ?)
     ON CONFLICT DO UPDATE SET revision = revision + 1, waiting = excluded.waiting`,
  );
  const insert = database.prepare('INSERT OR REPLACE INTO slots (tenant, id, model, expires_at) VALUES (?, ?, ?, ?)');
  const remove = database.prepare('DELETE FROM slots WHERE tenant = ? AND id = ?');

  function look(tenant: string): SlotSet {
    const found = selectSet.get(tenant) as SetRow | undefined;
    const nowMs = clock.nowMs();
    const slots = selectSlots.all(tenant) as SlotRow[];
    const running = slots.filter(({ expiresAt }) => expiresAt > nowMs);
    return {
      running: Object.fromEntries(running.map(({ id, model, expiresAt }) => [id, { model, expiresAt }])),
      expired: slots.filter(({ expiresAt }) => expiresAt <= nowMs).map(({ id }) => id),
      waiting: found ? (JSON.parse(found.waiting) as string[]) : [],
      revision: found && String(found.revision),
    };
  }

  /** `false`: the set is not as it was seen. */
  function applyOne({ tenant, id }: JobKey, { slotUntil }: JobChanges, slot: SlotChange | undefined): boolean {
    const { waiting, revision } = look(tenant);
    if (!slot) {
      remove.run(tenant, id);
      writeSet.run(tenant, JSON.stringify(waiting));
      return true;
    }
    if ('waitFor' in slot) {
      writeSet.run(tenant, JSON.stringify([...new Set([...waiting, slot.waitFor])]));
      return true;
    }
    if (slot.seen.revision !== revision) return false;
    for (const expired of slot.seen.expired) remove.run(tenant, expired);
    insert.run(tenant, id, slot.take, slotUntil ?? 0);
    writeSet.run(tenant, JSON.stringify(waiting.filter((name) => !slot.over?.includes(name))));
    return true;
  }

  return {
    look,
    apply(key, changes, slot) {
      if (givesBack(changes)) applyOne(key, changes, undefined);
      return !slot || applyOne(key, changes, slot);
    },
  };
}
