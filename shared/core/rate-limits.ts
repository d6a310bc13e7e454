/** Rate limits: how often one may ask. */

export type Rule = { perMinute: number; burst: number };

export type Taken = { allowed: boolean; remaining: number; retryAfterMs: number; resetMs: number };

export type RateLimiter = { take(bucket: string, rule: Rule, cost?: number): Promise<Taken> };
