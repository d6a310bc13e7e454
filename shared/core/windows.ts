/**
 * Sliding windows: never more than so much within any time of a given length, and nearly all of it all the time. What was
 * taken is kept by the sixtieth of the window in which it was, and counts until all of that sixtieth is as old as the
 * window is long. Here as pure functions, and the port behind which windows are kept.
 */

/** Admits while less than `most` was taken within the last `ms`. */
export type WindowRule = { most: number; ms: number };

/**
 * `waitMs`: nothing was taken; in so long something may be, if nobody else takes before; never too early. `giveBack`: what
 * was taken is not used; called once at most, never throws.
 */
export type Allowed = { waitMs: number } | { giveBack: () => Promise<void> };

export type WindowLimiter = {
  /**
   * Takes so much, at least 1. The last one admitted may take more than is left, or than the whole: that is paid off before
   * the next. Never throws.
   */
  take(window: string, rule: WindowRule, cost: number): Promise<Allowed>;
};

/** What was taken in each slot of a window, by its number: whole numbers. */
export type Slots = ReadonlyMap<number, number>;

const SLOTS = 60;
/** Of a cost beyond the whole, so many wholes are paid off. */
export const WHOLES_MOST = 60;

export function slotMsOf({ ms }: WindowRule): number {
  return Math.ceil(ms / SLOTS);
}

/** Takes from a window and answers it as it is left; `nowMs` is by any clock, as long as it is always the same one. */
export function takeWithin(
  slots: Slots,
  nowMs: number,
  rule: WindowRule,
  cost: number,
): { slots: Slots; waitMs: number } {
  const counting = [...slots].filter(([slot]) => goneAt(slot, rule) > nowMs).sort(([a], [b]) => a - b);
  const left = new Map(counting);
  let sum = counting.reduce((total, [, taken]) => total + taken, 0);
  if (sum < rule.most) {
    for (const [slot, part] of partsOf(slotAt(nowMs, rule), rule, cost)) left.set(slot, (left.get(slot) ?? 0) + part);
    return { slots: left, waitMs: 0 };
  }
  let waitMs = 0;
  for (const [slot, taken] of counting) {
    if (sum < rule.most) break;
    sum -= taken;
    waitMs = goneAt(slot, rule) - nowMs;
  }
  return { slots: left, waitMs };
}

/** The window without what was taken in that slot. */
export function giveBackTo(slots: Slots, slot: number, rule: WindowRule, cost: number): Slots {
  const parts = partsOf(slot, rule, cost);
  return new Map([...slots].map(([each, taken]) => [each, taken - (parts.get(each) ?? 0)]));
}

export function slotAt(nowMs: number, rule: WindowRule): number {
  return Math.floor(nowMs / slotMsOf(rule));
}

/** What is beyond the whole is as if it were taken when the whole before it is gone. */
function partsOf(first: number, rule: WindowRule, cost: number): Map<number, number> {
  const parts = new Map<number, number>();
  let owed = Math.min(cost, rule.most * WHOLES_MOST);
  for (let slot = first; owed > 0; slot += strideOf(rule)) {
    parts.set(slot, Math.min(owed, rule.most));
    owed -= rule.most;
  }
  return parts;
}

/** From a slot to the first one that begins when it is gone. */
export function strideOf(rule: WindowRule): number {
  return Math.ceil(rule.ms / slotMsOf(rule)) + 1;
}

/** When nothing that was taken in that slot counts any more. */
export function goneAt(slot: number, rule: WindowRule): number {
  // The last instant of the slot is no more than the window's length ago until then, both ends included.
  return (slot + 1) * slotMsOf(rule) + rule.ms;
}
