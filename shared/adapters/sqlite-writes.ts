/** How writes come to a SQLite file: each at once, or those of one turn of the event loop together. */
import type Database from 'libsql';
import { ServiceError } from '../core/errors.ts';

/**
 * Runs `body`, which writes and may read, and resolves with its answer when that is on disk. Rejects with
 * `store_unavailable` where it threw: a full disk or a broken file is a store that gave no answer.
 */
export type Write = <T>(body: () => T) => Promise<T>;

export type GroupedWrites = {
  /** `body` may be run twice: what it does besides writing must not matter then. */
  write: Write;
  /** Commits what waits; from then on nothing is written: libsql ends the process that uses a closed file. */
  end(): void;
};

type Waiting = { body: () => unknown; resolve: (answer: never) => void; reject: (error: unknown) => void };

/** At once, each in a commit of its own. */
export const writeAtOnce: Write = async (body) => answerOf(body);

/**
 * All writes of one turn of the event loop in one commit: they wait for the disk together. Where one of them throws, each is
 * run once more in a commit of its own, so that none fails for another.
 */
export function groupedWrites(database: Database.Database): GroupedWrites {
  let waiting: Waiting[] = [];
  let isOver = false;

  function flush(): void {
    const group = waiting;
    waiting = [];
    if (group.length > 1 && commitAll(group)) return;
    for (const { body, resolve, reject } of group) {
      try {
        resolve(answerOf(body) as never);
      } catch (error) {
        reject(error);
      }
    }
  }

  function commitAll(group: readonly Waiting[]): boolean {
    let answers: unknown[];
    try {
      answers = inSavepoint(database, () => group.map(({ body }) => body()));
    } catch {
      return false;
    }
    for (const [n, { resolve }] of group.entries()) resolve(answers[n] as never);
    return true;
  }

  return {
    write: (body) =>
      new Promise((resolve, reject) => {
        if (isOver) return reject(noAnswer('closed'));
        waiting.push({ body, resolve, reject });
        if (waiting.length === 1) setImmediate(flush);
      }),
    end() {
      flush();
      isOver = true;
    },
  };
}

/** All that the body writes, or, when it throws, nothing; within another one, or as a transaction of its own. */
export function inSavepoint<T>(database: Database.Database, body: () => T): T {
  const [begin, commit, undo] = database.inTransaction
    ? ['SAVEPOINT part', 'RELEASE part', 'ROLLBACK TO part; RELEASE part']
    : ['BEGIN', 'COMMIT', 'ROLLBACK'];
  database.exec(begin);
  try {
    const answer = body();
    database.exec(commit);
    return answer;
  } catch (error) {
    // A full disk may have undone everything already.
    if (database.inTransaction) database.exec(undo);
    throw error;
  }
}

/** All of these steps, or, when one of them answers `false`, none. Answers which. */
export function allOrNone(database: Database.Database, steps: readonly (() => boolean)[]): boolean {
  try {
    inSavepoint(database, () => {
      for (const step of steps) if (!step()) throw new Refused();
    });
    return true;
  } catch (error) {
    if (error instanceof Refused) return false;
    throw error;
  }
}

/** Undoes what was written so far. */
class Refused extends Error {}

function answerOf<T>(body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw noAnswer(cause);
  }
}

function noAnswer(cause: unknown): ServiceError {
  return new ServiceError('store_unavailable', 'The store gave no answer.', { cause, retryAfterMs: 1_000 });
}
