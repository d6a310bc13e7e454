/** R02: ten thousand jobs that nobody claims, on SQLite and virtual time. */
import { describe } from 'vitest';
import { openSqliteWorld } from '../scenarios/sqlite-world.ts';
import { backlogScenarios } from '../scenarios/sweepers.ts';

describe('on SQLite', () => backlogScenarios(openSqliteWorld));
