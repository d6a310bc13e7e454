/** `ResultCache` on Redis: as text, under the key by which other programs look for a result. */
import type { JobKey } from '../core/job.ts';
import { CACHED_MS, type ResultCache } from '../core/result-cache.ts';
import type { RedisLink } from './redis-link.ts';

/** Never throws, never waits for more than a moment. */
export function redisResultCache(link: RedisLink): ResultCache {
  return {
    async put(key, text, keepMs) {
      const expiration = { type: 'PX', value: Math.ceil(keepMs) } as const;
      await link.ask(async (client) => {
        // In this order: whoever removes it marks it before.
        const put = client.set(resultKey(key), text, { expiration });
        const [isRemoved] = await Promise.all([client.exists(removedKey(key)), put]);
        if (isRemoved) await client.del(resultKey(key));
      });
    },
    async get(key) {
      const asked = await link.ask((client) => client.get(resultKey(key)));
      return asked?.answer ?? undefined;
    },
    async remove(key) {
      const expiration = { type: 'PX', value: CACHED_MS } as const;
      await link.ask((client) =>
        Promise.all([client.set(removedKey(key), '', { expiration }), client.del(resultKey(key))]),
      );
    },
  };
}

/** Readers of the default tenant know a job's id and no tenant. */
function resultKey({ tenant, id }: JobKey): string {
  return tenant === 'default' ? `result:${id}` : `result:${tenant}:${id}`;
}

function removedKey(key: JobKey): string {
  return `${resultKey(key)}:removed`;
}
