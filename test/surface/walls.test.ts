/** I13, on SQLite: nobody is ever told anything of another one, whatever they do in whichever order. */
import { expect, test } from 'vitest';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { coreWorld, NO_PROVIDERS } from '../support/core-world.ts';
import { checkWalls } from './walls-suite.ts';

test('I13 two tenants, and two users of one, share nothing', { timeout: 120_000 }, async () => {
  const answers = await checkWalls(async () => {
    const world = coreWorld();
    const { service, log, clock, close } = world;
    const models = modelCatalog({ ...NO_PROVIDERS, clock });
    return { service, models, log, close, run: (key) => clock.until(world.run(key)), until: clock.until };
  }, 100);
  expect(answers).toBeGreaterThan(1_000);
});
