/** Rejections that nobody handles and exceptions that nobody catches: one job's must not take its neighbours' work. */
import { framesOf } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';

/** What to do with one: it is logged, and the process goes on. */
export function logStray(log: Log): (error: unknown) => void {
  return (error) => log('error', 'stray-failure', { error: framesOf(error) });
}
