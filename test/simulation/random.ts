/** Chance that can be repeated: the same seed, the same choices. */

export type Chance = {
  /** From 0 up to, not including, 1. */
  next(): number;
  /** A number between two others. */
  between(least: number, most: number): number;
  /** Did it happen, if it does in this share of the cases? */
  happens(share: number): boolean;
  pick<T>(choices: readonly T[]): T;
  /** A UUID of version 4. */
  uuid(): string;
  /** A source of its own, so that one actor's choices do not move another's. */
  fork(): Chance;
};

/**
 * Mulberry32.
 *
 * @see https://gist.github.com/tommyettinger/46a874533244883189143505d203312c
 */
export function chance(seed: number): Chance {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const hex = (digits: number) => Array.from({ length: digits }, () => Math.floor(next() * 16).toString(16)).join('');
  return {
    next,
    between: (least, most) => least + next() * (most - least),
    happens: (share) => next() < share,
    pick: (choices) => choices[Math.floor(next() * choices.length)] as (typeof choices)[number],
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`,
    fork: () => chance(next() * 4_294_967_296),
  };
}
