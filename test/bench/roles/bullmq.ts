/**
 * What a user would build instead, small and as BullMQ's documentation recommends it: a queue in the Redis at `REDIS_URL`,
 * one worker in the same process, and long polls that end with the queue's events.
 */
import { type Job, Queue, QueueEvents, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { type Answer, callProvider, type Known, type Submission, serveContract } from './contract.ts';

const NAME = 'llm-jobs';
/** A worker waits for its Redis as long as it takes, instead of failing commands. */
const connect = () => new Redis(process.env.REDIS_URL ?? '', { maxRetriesPerRequest: null });

const queue = new Queue<Submission, Answer>(NAME, {
  connection: connect(),
  // By age alone: a limit on their number would make each end of a job remove another one.
  defaultJobOptions: { removeOnComplete: { age: 3_600 }, removeOnFail: { age: 24 * 3_600 } },
});
const events = new QueueEvents(NAME, { connection: connect() });
const worker = new Worker<Submission, Answer>(NAME, ({ data }) => callProvider(data), {
  connection: connect(),
  concurrency: Number(process.env.WORKER_CONCURRENCY ?? 50),
});
queue.on('error', console.error);
events.on('error', console.error);
worker.on('error', console.error);
worker.on('failed', (job, error) => console.error(`job ${job?.id} failed:`, error));
// Each waiter listens, and Node warns of more than ten.
queue.setMaxListeners(0);
await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);

const { close } = await serveContract({
  async submit(id, submission) {
    await queue.add(submission.job_type, submission, { jobId: id });
  },
  async read(id, waitMs) {
    const job = await queue.getJob(id);
    if (!job) return undefined;
    const known = { jobType: job.name, createdAt: job.timestamp };
    if (job.finishedOn === undefined && waitMs > 0) {
      try {
        return { ...known, status: 'completed', answer: await job.waitUntilFinished(events, waitMs) };
      } catch {
        // It failed, or the time is over: which of the two, its state says.
        const read = await queue.getJob(id);
        return read && stateOf(read);
      }
    }
    return stateOf(job);
  },
});

async function stateOf(job: Job<Submission, Answer>): Promise<Known> {
  const known = { jobType: job.name, createdAt: job.timestamp };
  if (job.finishedOn !== undefined) {
    return job.failedReason
      ? { ...known, status: 'failed', errorMessage: job.failedReason }
      : { ...known, status: 'completed', answer: job.returnvalue };
  }
  return { ...known, status: (await job.isActive()) ? 'processing' : 'pending' };
}

process.once('SIGTERM', async () => {
  void close();
  await worker.close();
  await Promise.all([queue.close(), events.close()]);
  process.exit(0);
});
