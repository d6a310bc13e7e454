/** Pushes doorbells to processes as a subscription does: again where a process dies with one, or says that it failed. */
import type { JobKey } from '../../shared/core/job.ts';
import type { Instance } from './instance.ts';
import type { World } from './world.ts';

export type Pushing = {
  /** Delivers what was rung since, as long as there are fewer than `most` under way. */
  push(most?: number): void;
  /** Ends a process, and starts another one in its place. */
  kill(index: number): void;
  instances(): readonly Instance[];
};

export function pushingTo(world: World, processes: number, random: () => number): Pushing {
  const instances = Array.from({ length: processes }, () => world.instance());
  const underWay = new Map<Instance, JobKey[]>();
  const again: JobKey[] = [];
  let delivered = 0;

  function deliver(key: JobKey): void {
    const instance = instances[Math.floor(random() * instances.length)] as Instance;
    const keys = underWay.get(instance) ?? [];
    underWay.set(instance, [...keys, key]);
    const isOver = () => {
      const left = underWay.get(instance);
      if (left) underWay.set(instance, left.toSpliced(left.indexOf(key), 1));
    };
    instance.run(key).then(isOver, () => {
      isOver();
      again.push(key);
    });
  }

  return {
    instances: () => instances,
    push(most = Number.POSITIVE_INFINITY) {
      const count = () => [...underWay.values()].reduce((sum, { length }) => sum + length, 0);
      for (let room = most - count(); room > 0; room--) {
        const key = again.shift() ?? world.doorbells[delivered++];
        if (!key) return void delivered--;
        deliver(key);
      }
    },
    kill(index) {
      const dead = instances[index] as Instance;
      dead.die();
      again.push(...(underWay.get(dead) ?? []));
      underWay.delete(dead);
      instances[index] = world.instance();
    },
  };
}
