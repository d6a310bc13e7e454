/** What must hold of the chunks that a run leaves. */
import type Database from 'libsql';
import type { Job } from '../../shared/core/job.ts';
import { answerOf, isStreamed } from './model.ts';

type Row = { attempt: number; n: number; text: string };

/** `wrong`: what does not hold of a job's chunks; `strictly`, when nothing failed and nobody died. */
export function keptTexts(database: Database.Database) {
  const select = database.prepare('SELECT attempt, n, text FROM chunks WHERE id = ? ORDER BY attempt, n');
  const selectInput = database.prepare("SELECT input FROM jobs WHERE id = ? AND input <> 'null'");
  const countAll = database.prepare('SELECT count(*) AS n FROM chunks');
  return {
    count: () => (countAll.get() as { n: number }).n,

    /** What is left of a job that keeps nothing, an hour after everything: nothing. */
    left({ id, store, result, fingerprint, deletedAt, payloadsRemovedAt }: Job): string[] {
      if (store !== false) return [];
      const rows = select.all(id) as Row[];
      const isGone = deletedAt !== undefined || payloadsRemovedAt !== undefined;
      const isEmpty = rows.length === 0 && selectInput.get(id) === undefined && result === undefined;
      return isGone && isEmpty && fingerprint === '' ? [] : [`I14 ${id}: its payloads are left (store: false)`];
    },

    /** `asked` is the job whose prompt it has. The chunks of a completed job's last attempt are its answer where they were counted; a deleted job has none. */
    wrong(job: Job, asked: string, nowMs: number, strictly: boolean): string[] {
      const {
        id,
        state,
        answerOf: answerOfOther,
        attempt,
        attempts,
        deletedAt,
        payloadsRemovedAt,
        payloadsExpireAt = Infinity,
      } = job;
      const rows = select.all(id) as Row[];
      if (!isStreamed(asked)) return rows.length > 0 ? [`Q01 ${id}: nobody asked for chunks`] : [];
      // What a dead worker left, and what could not be removed, goes by itself.
      if ((deletedAt ?? payloadsRemovedAt) !== undefined)
        return strictly && rows.length > 0 ? [`I12 ${id}: its text is left`] : [];
      // A sweeper that died between the two removals; no reader is shown any of it.
      if (rows.length === 0 && payloadsExpireAt <= nowMs) return [];
      if (state !== 'completed' || answerOfOther) return [];
      const { chunks: count, outcome } = attempts.at(-1) ?? {};
      // The answer is not what the call said.
      if (outcome === 'failed')
        return count === undefined ? [] : [`Q01 ${id}: the chunks of a failed call are counted`];
      // Some could not be written; readers are told.
      if (count === undefined) return strictly ? [`Q01 ${id}: its chunks were not counted`] : [];
      const last = rows.filter((row) => row.attempt === attempt).slice(0, count);
      const text = last.map((row) => JSON.parse(row.text)).join('');
      const isInOrder = last.length === count && last.every(({ n }, index) => n === index + 1);
      return isInOrder && text === answerOf(asked) ? [] : [`Q01 ${id}: ${count} chunks hold ${JSON.stringify(text)}`];
    },
  };
}
