/** The scenarios in which store or queue matter, on the emulators, in real time: most of it waiting, so several at once. */

import { describeOnEmulators } from '../support/emulators.ts';
import { batchScenarios } from './batch.ts';
import { cancelScenarios } from './cancel.ts';
import { creditScenarios } from './credits.ts';
import { deleteScenarios } from './deleting.ts';
import { deliveryScenarios } from './delivery.ts';
import { openEmulatorWorld } from './emulator-world.ts';
import { erasingScenarios } from './erasing.ts';
import { experimentScenarios } from './experiments.ts';
import { failoverScenarios } from './failover.ts';
import { keepingNothingScenarios } from './keeping-nothing.ts';
import { largeScenarios } from './large.ts';
import { largeFaultScenarios } from './large-faults.ts';
import { saidLimitScenarios } from './model-limits.ts';
import { moneyScenarios } from './money.ts';
import { redriveScenarios } from './redrive.ts';
import { rescueScenarios } from './rescue.ts';
import { sweepScenarios } from './retry-and-sweep.ts';
import { runningScenarios } from './running.ts';
import { sharingScenarios } from './sharing.ts';
import { slotScenarios } from './slots.ts';
import { countedCallScenarios } from './socket.ts';
import { streamingScenarios } from './streaming.ts';
import { submitScenarios } from './submit.ts';
import { sweeperScenarios } from './sweepers.ts';
import { toldStateScenarios } from './told-states.ts';
import { unreadableScenarios } from './unreadable.ts';
import { versionScenarios } from './versions.ts';
import { webhookScenarios } from './webhooks.ts';
import { zombieScenarios } from './zombie.ts';

describeOnEmulators('on the emulators', { concurrent: true }, () => {
  submitScenarios(openEmulatorWorld);
  batchScenarios(openEmulatorWorld);
  deliveryScenarios(openEmulatorWorld);
  unreadableScenarios(openEmulatorWorld);
  runningScenarios(openEmulatorWorld);
  zombieScenarios(openEmulatorWorld);
  // The others are waiting, of which the emulators know no more.
  versionScenarios(openEmulatorWorld);
  webhookScenarios(openEmulatorWorld, ['500'], ['after', 'crash-after']);
  toldStateScenarios(openEmulatorWorld, false);
  sweepScenarios(openEmulatorWorld);
  sweeperScenarios(openEmulatorWorld);
  rescueScenarios(openEmulatorWorld);
  cancelScenarios(openEmulatorWorld);
  redriveScenarios(openEmulatorWorld);
  experimentScenarios(openEmulatorWorld);
  slotScenarios(openEmulatorWorld);
  // A hundred on real processes: `long/sharing.emulator.test.ts`.
  sharingScenarios(openEmulatorWorld, 60);
  creditScenarios(openEmulatorWorld);
  streamingScenarios(openEmulatorWorld);
  deleteScenarios(openEmulatorWorld);
  erasingScenarios(openEmulatorWorld);
  keepingNothingScenarios(openEmulatorWorld);
  // At the other parts real processes die: `long/large.emulator.test.ts`.
  largeScenarios(openEmulatorWorld, [2]);
  largeFaultScenarios(openEmulatorWorld);
  moneyScenarios(openEmulatorWorld);
  failoverScenarios(openEmulatorWorld);
  saidLimitScenarios(openEmulatorWorld);
  countedCallScenarios(openEmulatorWorld);
});
