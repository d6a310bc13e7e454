/** A store that gives no answer for a while, as Firestore may, where there is only a file. */
import { ServiceError } from '../shared/core/errors.ts';
import type { Clock } from '../shared/core/ports.ts';

/** As long as a call of Firestore waits for its answer. */
const CALL_MS = 5_000;

export type StoreGate = {
  setFrozen(frozen: boolean): void;
  /** These stores behind the gate: while they are frozen, calls wait, for so long at most, and nothing is heard of changes. */
  before<T extends object>(stores: T): T;
};

type Method = (...args: unknown[]) => unknown;

export function storeGate(clock: Clock): StoreGate {
  let frozen: { thawed: Promise<void>; thaw: () => void } | undefined;
  /** What changed meanwhile, in its order. */
  let unheard: (() => void)[] = [];

  async function pass(): Promise<void> {
    if (!frozen) return;
    let cancel = () => {};
    const tooLate = new Promise<never>((_, reject) => {
      const giveUp = () => reject(new ServiceError('store_unavailable', 'The store did not answer in time.'));
      cancel = clock.setTimer(giveUp, CALL_MS);
    });
    await Promise.race([frozen.thawed, tooLate]).finally(cancel);
  }

  /** A watch answers at once, with a way to end it; who ended it hears nothing more. */
  function watched(call: (args: unknown[]) => unknown, args: unknown[]): () => void {
    let hasEnded = false;
    const heard =
      (callBack: Method): Method =>
      (...told) => {
        const tell = () => {
          if (!hasEnded) callBack(...told);
        };
        if (frozen) unheard.push(tell);
        else tell();
      };
    const end = call(args.map((arg) => (typeof arg === 'function' ? heard(arg as Method) : arg))) as () => void;
    return () => {
      hasEnded = true;
      end();
    };
  }

  function behind<T extends object>(store: T): T {
    return new Proxy(store, {
      get(target, name) {
        const method = Reflect.get(target, name) as unknown;
        if (typeof method !== 'function') return method;
        const call = (args: unknown[]) => (method as Method).apply(target, args);
        if (String(name).startsWith('watch')) return (...args: unknown[]) => watched(call, args);
        return async (...args: unknown[]) => {
          await pass();
          return call(args);
        };
      },
    });
  }

  return {
    setFrozen(now) {
      if (now === (frozen !== undefined)) return;
      if (now) {
        let thaw = () => {};
        const thawed = new Promise<void>((resolve) => {
          thaw = resolve;
        });
        frozen = { thawed, thaw };
        return;
      }
      frozen?.thaw();
      frozen = undefined;
      const telling = unheard;
      unheard = [];
      for (const tell of telling) tell();
    },
    before: (stores) =>
      Object.fromEntries(
        Object.entries(stores).map(([name, store]) => [name, behind(store as object)]),
      ) as typeof stores,
  };
}
