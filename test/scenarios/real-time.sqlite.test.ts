/** The scenarios that need real time also on SQLite: real sockets, and the time that an answer takes. */
import { describe } from 'vitest';
import { oversizeScenarios } from './oversize.ts';
import { countedCallScenarios, socketScenarios } from './socket.ts';
import { openSqliteWorld } from './sqlite-world.ts';

describe('on SQLite', () => {
  socketScenarios(openSqliteWorld);
  countedCallScenarios(openSqliteWorld);
  oversizeScenarios();
});
