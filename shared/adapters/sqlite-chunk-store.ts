/** `ChunkStore` on SQLite; listeners are in this process, which is the only one. */
import type Database from 'libsql';
import { type JobKey, jobName } from '../core/job.ts';
import type { Chunk, ChunkStore, Clock } from '../core/ports.ts';
import { answered, quietly } from './sqlite-database.ts';
import { type Write, writeAtOnce } from './sqlite-writes.ts';

/** Its text as JSON: SQLite's own text ends at a NUL. */
type Row = { attempt: number; n: number; text: string };
type Listener = { attempt: number; afterN: number; tell: (chunks: Chunk[]) => void };

export type SqliteChunkStore = ChunkStore & {
  /** Removes what may go by now, as Firestore does by itself. */
  purge(nowMs: number): void;
};

export function sqliteChunkStore(
  database: Database.Database,
  clock: Clock,
  write: Write = writeAtOnce,
): SqliteChunkStore {
  const insert = database.prepare(
    'INSERT OR REPLACE INTO chunks (tenant, id, attempt, n, text, delete_at) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const select = database.prepare(
    'SELECT attempt, n, text FROM chunks WHERE tenant = ? AND id = ? AND attempt = ? AND n > ? ORDER BY n',
  );
  const remove = database.prepare('DELETE FROM chunks WHERE tenant = ? AND id = ?');
  const removeOld = database.prepare('DELETE FROM chunks WHERE delete_at <= ?');
  const listeners = new Map<string, Set<Listener>>();

  function look({ tenant, id }: JobKey, attempt: number, afterN: number): Chunk[] {
    const rows = select.all(tenant, id, attempt, afterN) as Row[];
    return rows.map(({ text, ...row }) => ({ ...row, text: JSON.parse(text) as string }));
  }

  return {
    async put({ tenant, id }, chunk, deleteAt) {
      await write(() => insert.run(tenant, id, chunk.attempt, chunk.n, JSON.stringify(chunk.text), deleteAt));
      for (const listener of listeners.get(jobName({ tenant, id })) ?? []) {
        if (chunk.attempt !== listener.attempt || chunk.n <= listener.afterN) continue;
        listener.tell([chunk]);
      }
    },

    list: answered(look),

    watch({ tenant, id }, attempt, afterN, onChunks) {
      const name = jobName({ tenant, id });
      let isOver = false;
      // Not within the writer's own turn: who hears of it is somebody else.
      const tell = (chunks: Chunk[]) => void clock.setTimer(() => isOver || onChunks(chunks), 0);
      const listener = { attempt, afterN, tell };
      const all = listeners.get(name) ?? new Set();
      listeners.set(name, all.add(listener));
      quietly(() => tell(look({ tenant, id }, attempt, afterN)));
      return () => {
        isOver = true;
        all.delete(listener);
        if (all.size === 0) listeners.delete(name);
      };
    },

    remove: answered(({ tenant, id }) => {
      remove.run(tenant, id);
    }),

    purge: (nowMs) => void removeOld.run(nowMs),
  };
}
