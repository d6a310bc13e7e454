/** The topic of events is made with the others, and made again when Pub/Sub forgot everything. */
import { expect, test } from 'vitest';
import { findEmulators, startEmulator } from '../../infra/emulator-processes.ts';
import { startPushDriver } from '../../infra/push-driver.ts';
import { pubsubClient } from '../../shared/adapters/pubsub-client.ts';
import { pubsubEventsTopic } from '../../shared/adapters/pubsub-events-topic.ts';
import { describeOnEmulators } from '../support/emulators.ts';

describeOnEmulators('on the emulators,', () => {
  test('events are published again after a restart of Pub/Sub', async () => {
    const commands = findEmulators();
    let pubsub = await startEmulator(commands, 'pubsub');
    const { host: emulatorHost } = pubsub;
    const ground = { projectId: 'demo-events', emulatorHost };
    const client = pubsubClient({ ...ground, deadlineMs: 5_000 });
    const topic = pubsubEventsTopic(client, 'events');
    const problems: string[] = [];
    const driver = await startPushDriver({
      ...{ ...ground, topic: 'llm-jobs', topicsBeside: ['events'], concurrency: 1, pushUrl: 'http://127.0.0.1:1' },
      onProblem: (problem) => void problems.push(problem),
    });
    try {
      await topic.publish('{}', { type: 'job.failed' });
      await pubsub.stop();
      await expect(topic.publish('{}', {})).rejects.toMatchObject({ code: 'store_unavailable' });
      pubsub = await startEmulator(commands, 'pubsub', Number(emulatorHost.split(':')[1]));
      const publishes = () =>
        topic.publish('{}', {}).then(
          () => true,
          () => false,
        );
      await expect.poll(publishes, { timeout: 60_000, interval: 500 }).toBe(true);
      expect(problems.join()).toContain('does not exist');
    } finally {
      await driver.stop();
      await client.close();
      await pubsub.stop();
    }
  });
});
