/** Rejections that nobody handles and exceptions that nobody catches: one job's must not take its neighbours' work. */
import { describeError, framesOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';

/** What to do with one: it is logged, and the process goes on. */
export function logStray(log: Log): (error: unknown) => void {
  return (error) => log('error', 'stray-failure', { error: framesOf(error) });
}

/** Logs a failure under the name of what failed; never its message. */
export function logFailure(log: Log, event: string, error: unknown): void {
  log('error', event, { error: describeError(error) });
}
