/** Whoever is told of jobs: a webhook's receiver that the test writes, and a topic; both know what they were told when. */
import { DELIVERY_MS_MOST, type EventsTopic, type Sent, type WebhookSender } from '../../shared/core/notices.ts';
import { type Clock, sleep } from '../../shared/core/ports.ts';

/** A POST. `nth` counts those about one job; `type` and `version` are those of its body. */
export type ReceiverCall = { jobId: string; type: string; version: number; nth: number; atMs: number } & {
  id: string;
  body: string;
  url: string;
  tenant: string;
};
export type Published = { jobId: string; type: string; version: number; attributes: { [name: string]: string } };

export type ReceiverDouble = {
  webhooks: WebhookSender;
  eventsTopic: EventsTopic;
  /** What it answers from now on; at first 204. */
  answerWith(answer: (call: ReceiverCall) => Sent | Promise<Sent>): void;
  /** The POSTs about a job. */
  calls(job: { id: string }): ReceiverCall[];
  /** What the topic has of a job. */
  published(job: { id: string }): Published[];
};

export const OK: Sent = { delivered: true, ms: 3, status: 204 };

/** What a sender answers where a receiver fails in one of these ways. */
export const FAILURES = {
  '500': { delivered: false, ms: 3, status: 500, failure: 'status', message: 'It answered 500.' },
  timeout: { delivered: false, ms: DELIVERY_MS_MOST, failure: 'timeout', message: 'It did not answer.' },
  redirect: { delivered: false, ms: 3, status: 302, failure: 'redirect', message: 'It answered 302.' },
  refused: { delivered: false, ms: 0, failure: 'refused', message: 'The address is private.' },
  network: { delivered: false, ms: 1, failure: 'network', message: 'The connection was cut.' },
  gone: { delivered: false, ms: 3, status: 410, failure: 'gone', message: 'It answered 410.' },
} as const satisfies { [name: string]: Sent };

export function receiverDouble(clock: Clock): ReceiverDouble {
  const calls: ReceiverCall[] = [];
  const published: Published[] = [];
  let answer: (call: ReceiverCall) => Sent | Promise<Sent> = () => OK;
  return {
    webhooks: {
      refusalOf: () => undefined,
      secretsOf: () => [],
      async send({ tenant, url }, { id, body }) {
        const told = read(body);
        const nth = calls.filter(({ jobId }) => jobId === told.jobId).length + 1;
        const call = { ...told, nth, atMs: clock.monotonicMs(), id, body, url, tenant };
        calls.push(call);
        const sent = await answer(call);
        // As long as it takes, it takes.
        if (!sent.delivered && sent.failure === 'timeout') await sleep(clock, sent.ms);
        return sent;
      },
    },
    eventsTopic: {
      publish: async (data, attributes) => void published.push({ ...read(data), attributes }),
    },
    answerWith: (next) => {
      answer = next;
    },
    calls: ({ id }) => calls.filter(({ jobId }) => jobId === id),
    published: ({ id }) => published.filter(({ jobId }) => jobId === id),
  };
}

function read(body: string): { jobId: string; type: string; version: number } {
  const { type, data } = JSON.parse(body) as { type: string; data: { job_id: string; version: number } };
  return { jobId: data.job_id, type: type.replace('job.', ''), version: data.version };
}
