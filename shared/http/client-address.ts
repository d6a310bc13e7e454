/** From where a request comes, as far as it can be known. */
import { isIP } from 'node:net';
import { getConnInfo } from '@hono/node-server/conninfo';
import type { Context } from 'hono';

/**
 * The address of the client, of an IPv6 one its network (/64, all of which one client has). Behind proxies it is what the
 * outermost of them wrote into `X-Forwarded-For`: whatever stands before that, the client wrote itself.
 */
export function addressOf(context: Context, trustedProxies: number): string {
  const forwarded = (context.req.header('x-forwarded-for') ?? '').split(',').map((part) => part.trim());
  const named = trustedProxies > 0 ? forwarded.at(-Math.min(trustedProxies, forwarded.length)) : undefined;
  return networkOf(named || socketAddress(context));
}

function socketAddress(context: Context): string {
  try {
    return getConnInfo(context).remote.address ?? '';
  } catch {
    return '';
  }
}

function networkOf(given: string): string {
  const address = given.replace(/^::ffff:(?=\d+\.)/i, '');
  if (isIP(address) !== 6) return isIP(address) === 4 ? address : 'unknown';
  // A URL writes it in its one short form.
  const [before = '', after] = new URL(`http://[${address.replace(/%.*/, '')}]`).hostname.slice(1, -1).split('::');
  const head = before.split(':').filter(Boolean);
  const tail = (after ?? '').split(':').filter(Boolean);
  const zeros = after === undefined ? [] : Array<string>(8 - head.length - tail.length).fill('0');
  return `${[...head, ...zeros, ...tail].slice(0, 4).join(':')}::/64`;
}
