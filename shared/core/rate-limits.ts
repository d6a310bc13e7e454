/** Rate limits: a token bucket as a pure function, and the port behind which buckets are kept. */

/** How fast a bucket fills, and how many tokens it holds: whole numbers, at least 1. */
export type Rule = { perMinute: number; burst: number };

/** What became of a request that wanted to take from a bucket. */
export type Taken = {
  allowed: boolean;
  /** Whole tokens that are left; 0 while what was taken in advance is paid off. */
  remaining: number;
  /** Until the next request is admitted, if nobody else takes before; 0 when one would be now. Never too early. */
  retryAfterMs: number;
  /** Until the bucket is full again. */
  resetMs: number;
};

export type RateLimiter = {
  /**
   * Takes from a bucket, which is full until somebody takes. Admits the request when at least one token is there; a cost
   * (1, unless it is given) beyond that takes the bucket below zero, so that a batch is paid off afterwards. A refused
   * request costs nothing. Never throws.
   */
  take(bucket: string, rule: Rule, cost?: number): Promise<Taken>;
};

/**
 * What a token is, in whole units: a bucket gains `perMinute` of them each millisecond. In floating-point tokens, a
 * bucket that was asked exactly at the end of `retryAfterMs` would hold 0.9999999.
 */
const UNITS_PER_TOKEN = 60_000;

/** A bucket as it was left: what it held, and when. Whole numbers. */
export type Bucket = { units: number; atMs: number };

/**
 * Takes from a bucket (`undefined`: one that is full) and answers it as it is left. `nowMs` is a whole number of
 * milliseconds by any clock, as long as it is always the same one; where it went back, the bucket just gains nothing.
 */
export function takeFrom(
  bucket: Bucket | undefined,
  nowMs: number,
  rule: Rule,
  cost = 1,
): { bucket: Bucket; taken: Taken } {
  const full = rule.burst * UNITS_PER_TOKEN;
  const gained = bucket ? Math.max(0, nowMs - bucket.atMs) * rule.perMinute : 0;
  const held = Math.min(full, (bucket?.units ?? full) + gained);
  const allowed = held >= UNITS_PER_TOKEN;
  const units = allowed ? held - cost * UNITS_PER_TOKEN : held;
  return { bucket: { units, atMs: nowMs }, taken: takenFrom(allowed, units, rule) };
}

/** What a request is told, by what it left in the bucket. */
export function takenFrom(allowed: boolean, units: number, { perMinute, burst }: Rule): Taken {
  return {
    allowed,
    remaining: Math.max(0, Math.floor(units / UNITS_PER_TOKEN)),
    retryAfterMs: Math.max(0, Math.ceil((UNITS_PER_TOKEN - units) / perMinute)),
    resetMs: Math.max(0, Math.ceil((burst * UNITS_PER_TOKEN - units) / perMinute)),
  };
}
