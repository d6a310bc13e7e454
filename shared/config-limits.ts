/** Settings of how much each model may be asked in a minute. */
import { listed, type Setting } from './config-kinds.ts';

/** `model=limit` or `provider/model=limit`, separated by commas; the names may hold `/` and `=` themselves. */
function perMinute(
  variable: string,
  meaning: string,
  least: number,
  most: number,
): Setting<ReadonlyMap<string, number>> {
  const toLimit = (item: string): [string, number] => {
    const [, name = '', digits] = /^(.+)=\s*(\d+)$/.exec(item) ?? [];
    const limit = Number(digits);
    if (/^[^/*](.*[^/])?$/.test(name.trim()) && limit >= least && limit <= most) return [name.trim(), limit];
    throw new Error(
      `must be pairs of a model, or \`provider/model\`, and a whole number from ${least} to ${most}, separated by commas; \`${item}\` is none`,
    );
  };
  const read = (raw: string | undefined) => {
    const items = listed(raw);
    const limits = new Map(items.map(toLimit));
    if (limits.size === items.length) return limits;
    throw new Error('must name each model once');
  };
  return { variable, meaning, shownDefault: '', read };
}

export const LIMIT_SETTINGS = {
  requestsPerMinute: perMinute(
    'REQUESTS_PER_MINUTE',
    'How many calls a model gets in any minute, of all tenants together: `gpt-4o=500,openai/gpt-4.1=60,…`; further jobs wait. Without `REDIS_URL` each worker instance has the limit for itself.',
    1,
    1_000_000,
  ),
  tokensPerMinute: perMinute(
    'TOKENS_PER_MINUTE',
    'How many tokens its calls use in any minute, as estimated, input and output: `gpt-4o=30000,…`; as above. A call of more than a tenth of it may exceed it, and is paid off before the next.',
    100,
    1_000_000_000,
  ),
};
