/** I13 on Firestore: what holds on SQLite (`surface/walls.test.ts`) holds there, too. */
import { PubSub } from '@google-cloud/pubsub';
import { expect, test } from 'vitest';
import { googleRuntime } from '../../shared/runtime.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';
import { checkWalls } from '../surface/walls-suite.ts';

describeOnEmulators('on Firestore', () => {
  test('I13 two tenants, and two users of one, share nothing', async () => {
    const answers = await checkWalls(async () => {
      const config = emulatorConfig({ SIMULATED_MS: '0' });
      const { projectId, jobsTopic, pubsubEmulatorHost: apiEndpoint = '' } = config;
      const pubsub = new PubSub({ projectId, apiEndpoint, emulatorMode: true });
      await pubsub.createTopic(jobsTopic);
      await pubsub.close();
      const { service, models, log, worker, close } = googleRuntime(config);
      return { service, models, log, close, run: worker.run, until: (promise) => promise };
    }, 3);
    expect(answers).toBeGreaterThan(20);
  });
});
