/** Turns: of those in one process that would only refuse each other at the store, one at a time. */

/** Does the work when everybody who came before under the same name is done, however that went. */
export type InTurn = <T>(name: string, work: () => Promise<T>) => Promise<T>;

export function turns(): InTurn {
  /** The last of those who wait, by name. */
  const lasts = new Map<string, Promise<unknown>>();

  return async (name, work) => {
    const turn = (lasts.get(name) ?? Promise.resolve()).then(work);
    const settled = turn.catch(() => undefined);
    lasts.set(name, settled);
    try {
      return await turn;
    } finally {
      if (lasts.get(name) === settled) lasts.delete(name);
    }
  };
}
