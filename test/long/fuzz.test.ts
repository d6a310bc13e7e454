/** 100,000 generated requests over all routes, and some thousand odd conversations over real sockets, in slices. */
import { expect, test } from 'vitest';
import { fuzz } from '../support/fuzzing.ts';

const SLICES = 10;

test('no request breaks anything, and what is refused stores nothing', async () => {
  const first = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 1_000_000));
  console.log(`FUZZ_SEED=${first}`);
  const seen = new Set<number>();
  let requests = 0;
  for (let slice = 0; slice < SLICES; slice++) {
    const { statuses } = await fuzz({ seed: first + slice, requests: 10_000, sockets: 300 });
    for (const [status, times] of statuses) {
      seen.add(status);
      requests += times;
    }
  }
  expect(requests).toBe(100_000);
  for (const status of [200, 202, 204, 400, 401, 403, 404, 405, 409, 413, 415]) expect([...seen]).toContain(status);
});
