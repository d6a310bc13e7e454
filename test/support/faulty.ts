/**
 * Any port around a real one that fails as told, and counts that it did. The faults are those that lose jobs and money in
 * practice; `after` (done, but reported failed) and `late` are the ones that matter most.
 */
import { type ErrorCode, ServiceError } from '../../shared/core/errors.ts';
import { type Clock, sleep } from '../../shared/core/ports.ts';

/**
 * - `before`: nothing happens, and the call fails.
 * - `after`: it happens, and the call fails all the same.
 * - `hang`: nothing happens, and the call fails after the longest time that a port may take; a stream never goes on.
 * - `late`: the call fails after that time, and what it asked for happens only then.
 * - `slow`: it happens, after a while; a stream begins after a while.
 * - `duplicate`: it happens twice.
 * - `crash`: the process dies before it happens. - `crash-after`: it happens, and then the process dies.
 * - `refused`: the document is invalid, and never will be stored.
 */
export type Fault = 'before' | 'after' | 'hang' | 'late' | 'slow' | 'duplicate' | 'crash' | 'crash-after' | 'refused';

export type FaultyOptions = {
  clock: Clock;
  /** What a failed call throws. */
  code?: ErrorCode;
  /** Decides for each call that no test armed; `undefined`: no fault. */
  plan?: (method: string) => Fault | undefined;
  /** Ends the process. Without it, a crash is a call without an answer. */
  crash?: () => void;
  slowMs?: number;
};

/** The longest that a port's method may take before it throws. */
const DEADLINE_MS = 5_000;
const SLOW_MS = 2_000;

export type Faulty<P> = P & {
  /** The next calls of this method fail in this way, after `skip` that don't. */
  fail(method: keyof P & string, fault: Fault, options?: { times?: number; skip?: number }): void;
  /** Runs before the next call of this method, once. */
  before(method: keyof P & string, action: () => Promise<unknown>): void;
  /** How many faults fired, of all or of one kind. */
  fired(fault?: Fault): number;
  /** How often a method was called. */
  calls(method: keyof P & string): number;
};

type Armed = { method: string; fault: Fault; times: number; skip: number };
type Method = (...values: unknown[]) => unknown;

/** Wraps every method of a port. */
export function faulty<P extends object>(port: P, options: FaultyOptions): Faulty<P> {
  const { clock, code = 'store_unavailable', plan, crash, slowMs = SLOW_MS } = options;
  const armed: Armed[] = [];
  const actions: { method: string; action: () => Promise<unknown> }[] = [];
  const counts = new Map<string, number>();
  const fired: Fault[] = [];
  const failed = (fault: Fault) => new ServiceError(code, `failed by the test (${fault})`);

  function take(method: string): Fault | undefined {
    const found = armed.find((candidate) => candidate.method === method);
    if (found && found.skip > 0) {
      found.skip -= 1;
      return undefined;
    }
    if (found) {
      found.times -= 1;
      if (found.times === 0) armed.splice(armed.indexOf(found), 1);
    }
    const fault = found?.fault ?? plan?.(method);
    if (fault) fired.push(fault);
    return fault;
  }

  async function call(method: string, real: () => Promise<unknown>): Promise<unknown> {
    const index = actions.findIndex((candidate) => candidate.method === method);
    if (index >= 0) await actions.splice(index, 1)[0]?.action();
    const fault = take(method);
    switch (fault) {
      case undefined:
        return real();
      case 'refused':
        throw new ServiceError('result_unstorable', 'refused by the test');
      case 'before':
        throw failed(fault);
      case 'hang':
      case 'late':
        await sleep(clock, DEADLINE_MS);
        if (fault === 'late') clock.setTimer(() => void real().catch(() => undefined), 0);
        throw failed(fault);
      case 'crash':
        return die();
      case 'slow':
        await sleep(clock, slowMs);
        return real();
    }
    const answer = await real();
    if (fault === 'duplicate') await real().catch(() => undefined);
    if (fault === 'after') throw failed(fault);
    return fault === 'crash-after' ? die() : answer;
  }

  async function* stream(method: string, real: () => AsyncIterable<unknown>): AsyncIterable<unknown> {
    const fault = take(method);
    if (fault === 'before') throw failed(fault);
    if (fault === 'crash') await die();
    let isFirst = true;
    for await (const part of real()) {
      // The call is on its way at once; its answer takes time.
      if (fault === 'slow' && isFirst) await sleep(clock, slowMs);
      yield part;
      if (fault === 'hang') await never();
      // Cut after its first part, or with the process, before anything could be stored.
      if (fault === 'after' && isFirst) throw failed(fault);
      if (fault === 'crash-after') await die();
      isFirst = false;
    }
  }

  function die(): Promise<never> {
    crash?.();
    return never();
  }

  function wrap(method: string, real: Method): Method {
    return (...values) => {
      counts.set(method, (counts.get(method) ?? 0) + 1);
      const invoke = () => real.apply(port, values);
      // A stream starts with its first part; listeners are not faulty, they are best effort.
      if (method === 'generate') return stream(method, invoke as () => AsyncIterable<unknown>);
      return method.startsWith('watch') ? invoke() : call(method, invoke as () => Promise<unknown>);
    };
  }

  const methods = Object.entries(port).filter(([, value]) => typeof value === 'function') as [string, Method][];
  return {
    ...(Object.fromEntries(methods.map(([name, real]) => [name, wrap(name, real)])) as P),
    fail: (method, fault, { times = 1, skip = 0 } = {}) => void armed.push({ method, fault, times, skip }),
    before: (method, action) => void actions.push({ method, action }),
    fired: (fault) => fired.filter((one) => fault === undefined || one === fault).length,
    calls: (method) => counts.get(method) ?? 0,
  };
}

function never(): Promise<never> {
  return new Promise(() => {});
}
