/** A map whose values lie on one another: the newest counts, and when it is taken back, the one below it does again. */

export type StackedMap<Value> = {
  /** Lays a value on a name. The answer takes that one back, once. */
  add(name: string, value: Value): () => void;
  get(name: string): Value | undefined;
  /** The names and what counts for each, in the order in which the names came. */
  entries(): [string, Value][];
  /** Another number after each change. */
  revision(): number;
};

export function stackedMap<Value>(first: Iterable<readonly [string, Value]> = []): StackedMap<Value> {
  const stacks = new Map([...first].map(([name, value]) => [name, [{ value }]]));
  let revision = 0;
  return {
    add(name, value) {
      const layer = { value };
      stacks.set(name, [...(stacks.get(name) ?? []), layer]);
      revision++;
      return () => {
        const left = (stacks.get(name) ?? []).filter((each) => each !== layer);
        if (left.length > 0) stacks.set(name, left);
        else stacks.delete(name);
        revision++;
      };
    },
    get: (name) => stacks.get(name)?.at(-1)?.value,
    entries: () =>
      [...stacks].flatMap(([name, stack]) => stack.slice(-1).map(({ value }): [string, Value] => [name, value])),
    revision: () => revision,
  };
}
