/** What every `EventsTopic` must do: hold what it says it holds, with its attributes, and say so when it may not. */
import { describe, expect, test } from 'vitest';
import type { EventsTopic } from '../../shared/core/notices.ts';

export type Received = { data: string; attributes: { [name: string]: string } };

export type TopicUnderTest = {
  topic: EventsTopic;
  /** Somebody subscribes; answers what they have got so far. */
  subscribe(): Promise<() => readonly Received[]>;
  /** Nobody made this one; … */
  missing: EventsTopic;
  /** … and this one cannot be reached. */
  unreachable: EventsTopic;
  /** No publish takes longer to answer. */
  deadlineMs: number;
  close(): Promise<void>;
};

const attributes = () => ({
  ...{ event_id: `evt_${crypto.randomUUID()}`, type: 'job.failed', tenant: 'acme', status: 'failed', version: '4' },
  ...{ job_id: crypto.randomUUID(), job_type: 'general_llm_request', batch_id: 'nightly' },
});

export function eventsTopicContract(name: string, open: () => Promise<TopicUnderTest>): void {
  async function withTopic(use: (under: TopicUnderTest) => Promise<void>): Promise<void> {
    const under = await open();
    try {
      await use(under);
    } finally {
      await under.close();
    }
  }

  describe(`EventsTopic on ${name}`, () => {
    test('what was published is there, byte for byte, with its attributes, for whoever is subscribed', async () => {
      await withTopic(async ({ topic, subscribe }) => {
        const [first, second] = [await subscribe(), await subscribe()];
        const sent = Array.from({ length: 20 }, (_, n) => ({
          data: JSON.stringify({ type: 'job.failed', data: { n, note: '分析 👩‍🔬 "fertig"' } }),
          attributes: attributes(),
        }));
        await Promise.all(sent.map(({ data, attributes }) => topic.publish(data, attributes)));
        for (const received of [first, second]) {
          await expect.poll(() => received().length, { timeout: 15_000 }).toBe(sent.length);
          const byId = (messages: readonly Received[]) =>
            [...messages].sort((a, b) => `${a.attributes.event_id}`.localeCompare(`${b.attributes.event_id}`));
          expect(byId(received())).toEqual(byId(sent));
        }
      });
    });

    test.each(['missing', 'unreachable'] as const)(
      'a topic that is %s is `store_unavailable` within the deadline',
      async (which) => {
        await withTopic(async (under) => {
          const startedMs = performance.now();
          await expect(under[which].publish('{}', attributes())).rejects.toMatchObject({
            code: 'store_unavailable',
          });
          expect(performance.now() - startedMs).toBeLessThan(under.deadlineMs + 1_000);
        });
      },
    );
  });
}
