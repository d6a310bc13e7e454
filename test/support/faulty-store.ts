/** A `JobStore` around a real one that fails on command, and counts that it did. */
import { ServiceError } from '../../shared/core/errors.ts';
import type { JobStore } from '../../shared/core/ports.ts';

/**
 * - `before`: nothing happens, and the answer is "unavailable".
 * - `after`: it happens, and the answer is "unavailable" all the same.
 * - `refused`: the document is invalid, and never will be stored.
 */
export type Fault = 'before' | 'after' | 'refused';
export type StoreMethod = keyof JobStore;

export type FaultyStore = JobStore & {
  /** The next calls of this method fail in this way, after `skip` that don't. */
  fail(method: StoreMethod, fault: Fault, options?: { times?: number; skip?: number }): void;
  /** Runs before the next call of this method, once. */
  before(method: StoreMethod, action: () => Promise<unknown>): void;
  /** How many faults fired. */
  fired(): number;
  /** How often each method was called. */
  calls(method: StoreMethod): number;
};

type Armed = { method: StoreMethod; fault: Fault; times: number; skip: number };

export function faultyStore(real: JobStore): FaultyStore {
  const armed: Armed[] = [];
  const actions: { method: StoreMethod; action: () => Promise<unknown> }[] = [];
  const counts = new Map<StoreMethod, number>();
  let fired = 0;

  function take(method: StoreMethod): Fault | undefined {
    const plan = armed.find((candidate) => candidate.method === method);
    if (!plan) return undefined;
    if (plan.skip > 0) {
      plan.skip -= 1;
      return undefined;
    }
    plan.times -= 1;
    if (plan.times === 0) armed.splice(armed.indexOf(plan), 1);
    fired += 1;
    return plan.fault;
  }

  function wrap<M extends StoreMethod>(method: M): JobStore[M] {
    const call = real[method] as (...values: unknown[]) => Promise<unknown>;
    const wrapped = async (...values: unknown[]) => {
      counts.set(method, (counts.get(method) ?? 0) + 1);
      const index = actions.findIndex((candidate) => candidate.method === method);
      if (index >= 0) await actions.splice(index, 1)[0]?.action();
      const fault = take(method);
      if (fault === 'refused') throw new ServiceError('result_unstorable', 'refused by the test');
      if (fault === 'before') throw new ServiceError('store_unavailable', 'failed by the test');
      const answer = await call(...values);
      if (fault === 'after') throw new ServiceError('store_unavailable', 'lost by the test');
      return answer;
    };
    return wrapped as JobStore[M];
  }

  return {
    create: wrap('create'),
    get: wrap('get'),
    getWithInput: wrap('getWithInput'),
    update: wrap('update'),
    list: wrap('list'),
    due: wrap('due'),
    fail: (method, fault, { times = 1, skip = 0 } = {}) => void armed.push({ method, fault, times, skip }),
    before: (method, action) => void actions.push({ method, action }),
    fired: () => fired,
    calls: (method) => counts.get(method) ?? 0,
  };
}
