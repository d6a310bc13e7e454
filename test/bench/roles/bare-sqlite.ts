/**
 * The least that keeps a job in SQLite as safely as the embedded service does (write-ahead log, `synchronous=FULL`): an
 * insert, a claim and a finish, each a transaction of its own, and a queue in memory. No lease, no fence, no attempt record,
 * no retry, nothing that finds a job again after a restart: it shows how much of a job the disk and the contract cost.
 */
import { EventEmitter, once } from 'node:events';
import Database from 'libsql';
import { type Answer, callProvider, type Known, type Submission, serveContract } from './contract.ts';

type Row = { submission: string; status: Known['status']; created_at: number; answer: string | null };

const database = new Database(process.env.DATABASE_URL ?? ':memory:');
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;');
database.exec(`CREATE TABLE jobs (
  id TEXT PRIMARY KEY, submission TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL, answer TEXT
) WITHOUT ROWID`);
const insert = database.prepare("INSERT INTO jobs VALUES (?, ?, 'pending', ?, NULL)");
const claim = database.prepare("UPDATE jobs SET status = 'processing' WHERE id = ? AND status = 'pending'");
const finish = database.prepare("UPDATE jobs SET status = ?, answer = ? WHERE id = ? AND status = 'processing'");
const select = database.prepare('SELECT submission, status, created_at, answer FROM jobs WHERE id = ?');

const concurrency = Number(process.env.WORKER_CONCURRENCY ?? 50);
const waiting: { id: string; submission: Submission }[] = [];
const ended = new EventEmitter();
let running = 0;

function fill(): void {
  while (running < concurrency) {
    const next = waiting.shift();
    if (!next) return;
    running += 1;
    void run(next.id, next.submission).finally(() => {
      running -= 1;
      fill();
    });
  }
}

async function run(id: string, submission: Submission): Promise<void> {
  claim.run(id);
  try {
    finish.run('completed', JSON.stringify(await callProvider(submission)), id);
  } catch (error) {
    finish.run('failed', String(error), id);
  }
  ended.emit(id);
}

function known(id: string): Known | undefined {
  const row = select.get(id) as Row | undefined;
  if (!row) return undefined;
  const { job_type } = JSON.parse(row.submission) as Submission;
  const { status, created_at: createdAt } = row;
  const answer = status === 'completed' ? (JSON.parse(row.answer ?? '') as Answer) : undefined;
  const errorMessage = status === 'failed' ? (row.answer ?? '') : undefined;
  return { jobType: job_type, status, createdAt, answer, errorMessage };
}

const isOver = (job: Known) => job.status === 'completed' || job.status === 'failed';

const { close } = await serveContract({
  async submit(id, submission) {
    insert.run(id, JSON.stringify(submission), Date.now());
    waiting.push({ id, submission });
    // The answer goes out first.
    setImmediate(fill);
  },
  async read(id, waitMs) {
    const job = known(id);
    if (!job || isOver(job) || waitMs === 0) return job;
    const over = new AbortController();
    const timer = setTimeout(() => over.abort(), waitMs);
    await once(ended, id, { signal: over.signal }).catch(() => {});
    clearTimeout(timer);
    return known(id);
  },
});

process.once('SIGTERM', () => {
  void close();
  process.exit(0);
});
