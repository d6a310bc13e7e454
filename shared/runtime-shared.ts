/** What is the same on every store: what all instances have together where there is a Redis, and each for itself where there is none; and what goes out. */
import { memoryRateLimiter } from './adapters/memory-rate-limiter.ts';
import { memoryResultCache } from './adapters/memory-result-cache.ts';
import { memoryWindowLimiter } from './adapters/memory-window-limiter.ts';
import { redisLink } from './adapters/redis-link.ts';
import { redisRateLimiter } from './adapters/redis-rate-limiter.ts';
import { redisResultCache } from './adapters/redis-result-cache.ts';
import { redisWindowLimiter } from './adapters/redis-window-limiter.ts';
import { systemClock } from './adapters/system-clock.ts';
import { webhookSender } from './adapters/webhook-sender.ts';
import type { Config } from './config.ts';
import type { AccountStore } from './core/accounts.ts';
import type { ApiKeyStore } from './core/api-keys.ts';
import type { LeaderStore } from './core/leader-store.ts';
import { type ModelLimits, modelLimits } from './core/model-limits.ts';
import type { RenderJob } from './core/notice-message.ts';
import type { EventsTopic, WebhookSender } from './core/notices.ts';
import type { PartStore } from './core/part-store.ts';
import type { ChunkStore, Clock, EstimateStore, JobStore, Log } from './core/ports.ts';
import type { RateLimiter } from './core/rate-limits.ts';
import type { ResultCache } from './core/result-cache.ts';
import { type Limits, limitsFor } from './http/limits.ts';

/** What differs from store to store. */
export type Stores = Shown & {
  store: JobStore;
  chunks: ChunkStore;
  parts: PartStore;
  leaders: LeaderStore;
  estimateStore: EstimateStore;
  apiKeys: ApiKeyStore;
  accounts: AccountStore;
  flushMs: number;
  eventsTopic?: EventsTopic | undefined;
};

/** How a webhook is shown a job, where its owner wants it whole. */
export type Shown = { renderJob?: RenderJob };

export type SharedParts = {
  limits: Limits;
  rateLimiter: RateLimiter;
  modelLimits: ModelLimits;
  resultCache: ResultCache;
  /** Absent where there are no secrets to sign with. */
  webhooks: WebhookSender | undefined;
  close(): Promise<void>;
};

/** Connects on first use. */
export function sharedParts(config: Config, clock: Clock, log: Log): SharedParts {
  const { redisUrl: url, rateLimits: perMinute, trustedProxies } = config;
  const link = url === undefined ? undefined : redisLink({ url, clock, log });
  const alone = memoryRateLimiter({ clock });
  const rateLimiter = link ? redisRateLimiter({ link, fallback: alone }) : alone;
  const windows = memoryWindowLimiter({ clock });
  const windowLimiter = link ? redisWindowLimiter({ link, fallback: windows }) : windows;
  return {
    limits: limitsFor(perMinute, { limiter: rateLimiter, clock, trustedProxies }),
    rateLimiter,
    modelLimits: modelLimits({ ...config, clock, windowLimiter }),
    resultCache: link ? redisResultCache(link) : memoryResultCache({ clock }),
    webhooks: config.webhookSecrets.length > 0 ? webhookSender(webhookOptions(config)) : undefined,
    close: async () => link?.close(),
  };
}

function webhookOptions({ webhookSecrets: secrets, webhookHosts: hosts, allowPrivateWebhooks: allowPrivate }: Config) {
  // Receivers compare its time with theirs: it follows the machine's clock wherever that is set.
  return { secrets, hosts, allowPrivate, clock: systemClock() };
}
