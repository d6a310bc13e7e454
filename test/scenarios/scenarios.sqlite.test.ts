/** The scenarios of faults and time on SQLite, in virtual time. */
import { describe } from 'vitest';
import { batchScenarios, batchTimeScenarios } from './batch.ts';
import { cancelScenarios } from './cancel.ts';
import { deleteScenarios } from './deleting.ts';
import { deliveryScenarios } from './delivery.ts';
import { keepingNothingScenarios } from './keeping-nothing.ts';
import { providerScenarios } from './provider.ts';
import { rescueScenarios } from './rescue.ts';
import { sweepScenarios } from './retry-and-sweep.ts';
import { longRunScenarios, runningScenarios } from './running.ts';
import { openSqliteWorld } from './sqlite-world.ts';
import { stormScenarios } from './storm.ts';
import { streamingScenarios } from './streaming.ts';
import { submitScenarios } from './submit.ts';
import { backlogScenarios, sweeperScenarios } from './sweepers.ts';
import { unreadableScenarios } from './unreadable.ts';
import { zombieScenarios } from './zombie.ts';

describe('on SQLite', () => {
  submitScenarios(openSqliteWorld);
  batchScenarios(openSqliteWorld);
  batchTimeScenarios(openSqliteWorld);
  stormScenarios(openSqliteWorld, 10_000);
  deliveryScenarios(openSqliteWorld);
  unreadableScenarios(openSqliteWorld);
  runningScenarios(openSqliteWorld);
  longRunScenarios(openSqliteWorld);
  zombieScenarios(openSqliteWorld);
  sweepScenarios(openSqliteWorld);
  sweeperScenarios(openSqliteWorld);
  backlogScenarios(openSqliteWorld);
  rescueScenarios(openSqliteWorld);
  cancelScenarios(openSqliteWorld);
  streamingScenarios(openSqliteWorld);
  deleteScenarios(openSqliteWorld);
  keepingNothingScenarios(openSqliteWorld);
  providerScenarios(openSqliteWorld);
});
