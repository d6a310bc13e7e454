/** A script that Redis runs in one go. */
import { createHash } from 'node:crypto';
import type { RedisClient } from './redis-link.ts';

export type ScriptArguments = { keys: string[]; arguments: string[] };

/** Runs it by its name, which is short; a server that was started again does not know it. */
export function redisScript(script: string) {
  const sha = createHash('sha1').update(script).digest('hex');
  return async function run<T>(client: RedisClient, named: ScriptArguments): Promise<T> {
    const answer = client.evalSha(sha, named).catch((error: unknown) => {
      if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return client.eval(script, named);
      throw error;
    });
    return (await answer) as T;
  };
}
