/** Waiting for the right to a call, where that takes a moment. */
import { type Clock, sleep } from './ports.ts';
import type { Passed } from './routing.ts';

/** Up to this long a worker waits itself: it costs less than to put the job off. */
const WAIT_HERE_MOST_MS = 2_000;

/** Asks until there is a pass, it would take too long, or `stop` is aborted. */
export async function passSoon(clock: Clock, ask: () => Promise<Passed>, stop?: AbortSignal): Promise<Passed> {
  const endMs = clock.monotonicMs() + WAIT_HERE_MOST_MS;
  for (;;) {
    const asked = await ask();
    if ('pass' in asked || stop?.aborted || clock.monotonicMs() + asked.waitMs > endMs) return asked;
    await sleep(clock, asked.waitMs, stop);
    if (stop?.aborted) return asked;
  }
}
