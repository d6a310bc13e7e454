/** A short run of what `test/long/fuzz.test.ts` does at length. */
import { expect, test } from 'vitest';
import { fuzz } from '../support/fuzzing.ts';

test('five hundred generated requests, and some odd conversations, break nothing', {
  timeout: 60_000,
}, async () => {
  const { statuses } = await fuzz({ seed: 1, requests: 500, sockets: 30 });
  // It gets behind the doors, and is refused in every way.
  for (const status of [200, 202, 400, 401, 403, 404, 405, 415]) expect([...statuses.keys()]).toContain(status);
});
