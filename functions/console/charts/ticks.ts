/** The numbers at an axis. Pure. */

const STEPS = [1, 2, 5, 10];

/** From 0 on, at round distances, up to the first one that is not below the highest value; of nothing 0 and 1. */
export function ticksTo(highest: number, most = 5): number[] {
  if (!(highest > 0)) return [0, 1];
  const raw = highest / (most - 1);
  const power = 10 ** Math.floor(Math.log10(raw));
  // A hair less: 0.3 / 0.1 is not 3.
  const step = power * (STEPS.find((step) => step * power >= raw * (1 - 1e-9)) ?? 10);
  const count = Math.ceil(highest / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, n) => Number((n * step).toPrecision(12)));
}

/** As `ticksTo`, of what there are no halves of. */
export function wholeTicksTo(highest: number, most = 5): number[] {
  const ticks = ticksTo(highest, most);
  return (ticks[1] ?? 1) < 1 ? Array.from({ length: Math.ceil(highest) + 1 }, (_, n) => n) : ticks;
}

/** `1.2k`, `3M`. */
export function shortCount(count: number): string {
  if (count < 1_000) return `${count}`;
  if (count < 1_000_000) return `${Number((count / 1_000).toPrecision(3))}k`;
  return `${Number((count / 1_000_000).toPrecision(3))}M`;
}

/** US dollars with as many digits as the axis needs: `$0.0005`, `$12`. */
export function shortDollars(dollars: number): string {
  if (dollars === 0) return '$0';
  if (dollars >= 1_000) return `$${shortCount(dollars)}`;
  const digits = dollars >= 1 ? 2 : Math.max(2, 1 - Math.floor(Math.log10(dollars)));
  return `$${dollars.toFixed(digits).replace(/\.?0+$/, '')}`;
}

/** Every so manieth of `count` names is written where each takes `each` of `width`. */
export function labelEvery(count: number, width: number, each: number): number {
  return Math.max(1, Math.ceil((count * each) / Math.max(width, each)));
}
