/** The checker of what was told: each rule, broken once. */
import { describe, expect, test } from 'vitest';
import { type Published, type Tellable, wrongTold } from '../support/told-check.ts';
import type { Receipt } from '../support/webhook-receiver.ts';

const JOB: Tellable = { id: 'a', status: 'completed', version: 4, wasStarted: true };

const bodyOf = (type: string, version: number, jobId = 'a') =>
  JSON.stringify({ type, data: { job_id: jobId, job_type: 'general', status: type.slice(4), version } });

function receipt(type: string, version: number, place: number, over: Partial<Receipt> = {}): Receipt {
  const event = { id: `evt-${version}`, body: bodyOf(type, version), type, jobId: 'a', version };
  return { ...event, place, deliveredPlace: place + 1, manner: 'answer', ...over };
}

function published(type: string, version: number, over: Partial<Published['attributes']> = {}): Published {
  const attributes = { type, status: type.slice(4), job_type: 'general', job_id: 'a', version: `${version}` };
  const given = Object.entries({ ...attributes, tenant: 'default', ...over });
  return { id: `evt-${version}`, body: bodyOf(type, version), attributes: Object.fromEntries(given) as never };
}

const started = receipt('job.started', 2, 0);
const completed = receipt('job.completed', 4, 2);
const both = [published('job.started', 2), published('job.completed', 4)];

test('all told, once or again, is right; so is what is in the outbox still', () => {
  const lost = { ...completed, place: 4 };
  expect(wrongTold({ jobs: [JOB], receipts: [started, completed, lost], published: both })).toEqual([]);
  expect(wrongTold({ jobs: [{ ...JOB, pending: ['job.completed'] }], receipts: [started] })).toEqual([]);
  expect(wrongTold({ jobs: [{ ...JOB, status: 'processing' }], receipts: [started] })).toEqual([]);
});

describe('wrong is', () => {
  const unanswered = { ...completed, deliveredPlace: undefined as never };
  test.each<[string, Parameters<typeof wrongTold>[0], RegExp]>([
    ['a state that was not told', { jobs: [JOB], receipts: [started] }, /job.completed was not told to the webhook/],
    [
      'one that was not answered',
      { jobs: [JOB], receipts: [started, unanswered] },
      /completed was not told to the webh/,
    ],
    ['one that was not published', { jobs: [JOB], receipts: [started, completed], published: [] }, /told to the topic/],
    [
      'one that never was',
      { jobs: [JOB], receipts: [started, completed, receipt('job.failed', 5, 4)] },
      /job.failed was told, and never was/,
    ],
    ['a start that never was', { jobs: [{ ...JOB, wasStarted: false }], receipts: [started, completed] }, /never was/],
    ['an end before the end', { jobs: [{ ...JOB, status: 'pending' }], receipts: [completed] }, /never was/],
    ['a job of nobody', { jobs: [], receipts: [started] }, /nobody submitted it/],
    ['two ids', { jobs: [JOB], receipts: [started, completed, { ...completed, id: 'x' }] }, /more than one id/],
    ['two bodies', { jobs: [JOB], receipts: [started, completed, { ...completed, body: '{}' }] }, /more than one body/],
    ['another version', { jobs: [{ ...JOB, version: 5 }], receipts: [started, completed] }, /told as version 4/],
    [
      'an older one that comes first after a newer one came',
      { jobs: [JOB], receipts: [unanswered, { ...started, place: 3, deliveredPlace: 4 }, { ...completed, place: 5 }] },
      /job.started came first after version 4/,
    ],
    [
      'an older one again after a newer one was delivered',
      { jobs: [JOB], receipts: [started, completed, { ...started, place: 6 }] },
      /job.started came after job.completed had been delivered/,
    ],
    [
      'an attribute that says something else',
      {
        ...{ jobs: [JOB], receipts: [started, completed] },
        published: [...both, published('job.completed', 4, { tenant: 'acme' })],
      },
      /attribute tenant is acme, not default/,
    ],
  ])('%s', (_, evidence, sentence) => {
    expect(wrongTold(evidence).join('\n')).toMatch(sentence);
  });
});
