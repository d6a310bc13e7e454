/**
 * The suite of `EventsTopic` on Pub/Sub's emulator. No filters: it (0.8.20) keeps the filter of a subscription, also one
 * that is nonsense, and sends everything.
 */
import { eventsTopicContract } from '../contracts/events-topic.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';
import { openEventsTopic } from '../support/pubsub-under-test.ts';

describeOnEmulators('contracts', () => {
  eventsTopicContract("Pub/Sub's emulator", () => {
    const { projectId, pubsubEmulatorHost: emulatorHost } = emulatorConfig();
    return openEventsTopic({ projectId, emulatorHost });
  });
});
