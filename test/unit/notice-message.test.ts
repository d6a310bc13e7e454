/** What is sent: thin, the same bytes each time, whole where that was asked for and is small enough. */
import { describe, expect, test } from 'vitest';
import type { Job } from '../../shared/core/job.ts';
import { attributesOf, noticeMessage, webhookMessage } from '../../shared/core/notice-message.ts';
import { sampleJob } from '../contracts/job-store.ts';

const NOW = 1_700_000_000_000;
const ENDED = { type: 'completed', version: 3, happenedAt: NOW } as const;
const STARTED = { ...ENDED, type: 'started', version: 2 } as const;
const renderJob = ({ job }: { job: Job }) => ({ shown: job.result });
const ended = (over: Partial<Job> = {}) =>
  sampleJob({ state: 'completed', version: 3, webhook: { url: 'https://a.example', events: [] }, ...over });
const dataOf = (body: string) => JSON.parse(body).data;
const bytes = (text: string) => Buffer.byteLength(text);

describe('the message', () => {
  test('names the job and its state, and has the words of its submitter; nothing that it was asked or answered', async () => {
    const words = { tags: ['t'], metadata: { a: 'b' }, questionId: 'q', projectId: 'p', batchId: 'b' };
    const job = ended({ ...words, result: 'secret', error: { code: 'auth', message: 'secret' } });
    const { id, body } = await noticeMessage(job, ENDED);
    expect(id).toMatch(/^evt_[0-9a-f-]{36}$/);
    expect(JSON.parse(body)).toEqual({
      ...{ type: 'job.completed', timestamp: '2023-11-14T22:13:20Z' },
      data: {
        user_id: 'ada',
        ...{ job_id: job.id, job_type: job.jobType, status: 'completed', is_complete: true, version: 3 },
        ...{ question_id: 'q', project_id: 'p', batch_id: 'b', tags: ['t'], metadata: { a: 'b' } },
      },
    });
    expect(dataOf((await noticeMessage(job, { ...ENDED, type: 'failed' })).body).error_code).toBe('auth');
    expect(dataOf((await noticeMessage(job, STARTED)).body)).toMatchObject({
      status: 'processing',
      is_complete: false,
    });
  });

  test('has the same id and bytes each time, whatever has become of the job; others for another job, tenant or notice', async () => {
    const job = ended();
    const later = { ...job, version: 9, redrivenAs: 'x', deliveries: [], outbox: undefined };
    expect(await webhookMessage(later, ENDED, { nowMs: NOW + 9 })).toEqual(
      await webhookMessage(job, ENDED, { nowMs: 0 }),
    );
    const all = [
      await noticeMessage(job, ENDED),
      await noticeMessage(job, STARTED),
      await noticeMessage({ ...job, tenant: 'other' }, ENDED),
      await noticeMessage(ended(), ENDED),
    ];
    expect(new Set(all.map(({ id }) => id)).size).toBe(4);
  });

  test('with the whole job in it: at an end, as far as anybody may see it, and up to 20,000 bytes', async () => {
    const whole = { webhook: { url: 'https://a.example', events: [], include: 'job' as const } };
    const say = async (job: Job, notice: typeof ENDED | typeof STARTED = ENDED, nowMs = NOW) =>
      (await webhookMessage(job, notice, { nowMs, renderJob })).body;
    const frame = bytes(await say(ended({ ...whole, result: '' })));
    // What JSON escapes, and what has two bytes.
    const most = `${'"'.repeat(1_000)}${'é'.repeat(1_000)}${'x'.repeat(20_000 - frame - 4_000)}`;
    const full = await say(ended({ ...whole, result: most }));
    expect(bytes(full)).toBe(20_000);
    expect(dataOf(full).job).toEqual({ shown: most });
    expect(dataOf(await say(ended({ ...whole, result: `${most}x` })))).not.toHaveProperty('job');
    expect(dataOf(await say(ended({ result: 'r' })))).not.toHaveProperty('job');
    expect(dataOf(await say(ended({ ...whole, result: 'r' }), STARTED))).not.toHaveProperty('job');
    expect(dataOf(await say(ended({ ...whole, result: 'r', expiresAt: NOW })))).not.toHaveProperty('job');
    const fleeting = ended({ ...whole, store: false, result: 'r', payloadsExpireAt: NOW });
    expect(dataOf(await say(fleeting)).job).toEqual({});
    expect(dataOf(await say(fleeting, ENDED, NOW - 1)).job).toEqual({ shown: 'r' });
  });

  test('without the words, where those are too large', async () => {
    const job = ended({ metadata: { a: 'é'.repeat(10_001) } });
    expect(dataOf((await noticeMessage(job, ENDED)).body)).not.toHaveProperty('metadata');
    expect(attributesOf(job, ENDED, 'evt_1')).toEqual({
      ...{ event_id: 'evt_1', type: 'job.completed', status: 'completed', tenant: job.tenant, job_id: job.id },
      ...{ job_type: job.jobType, version: '3' },
    });
  });
});
