/** B06 with ten thousand jobs on SQLite, in virtual time. */
import { describe } from 'vitest';
import { crowdScenarios } from '../scenarios/slots.ts';
import { openSqliteWorld } from '../scenarios/sqlite-world.ts';

describe('on SQLite', () => {
  crowdScenarios(openSqliteWorld, 10_000);
});
