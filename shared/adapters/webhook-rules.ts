/** What the URL of a webhook must be, as far as the URL itself tells. */
import { isIP } from 'node:net';

/** Where webhooks may go. */
export type WebhookRules = {
  /** Names that may be called, `*.` for all below one; empty: every public one. */
  hosts: readonly string[];
  /** Also plain http, and addresses that are not public. */
  allowPrivate: boolean;
  isPublic: (address: string) => boolean;
};

/** Of a URL, in characters: what every receiver takes. */
const URL_MOST = 2_048;
/** Names that mean something else inside a network than outside, or nothing; Google's metadata server is the last. */
const INSIDE = /(^|\.)(localhost|local|internal|metadata\.goog)$/;

/**
 * Why webhooks do not go there, in words that follow the name of a field. Parsing has written an IPv4 address in any of
 * its forms (decimal, octal, hexadecimal, short, with other digits) as four decimal numbers.
 */
export function refusalOf(text: string, { hosts, allowPrivate, isPublic }: WebhookRules): string | undefined {
  if (text.length > URL_MOST) return `must be at most ${URL_MOST} characters long`;
  const url = parsed(text);
  const isSecure = url?.protocol === 'https:';
  if (!url || !(isSecure || (allowPrivate && url.protocol === 'http:'))) {
    return allowPrivate ? 'must be an http or https URL' : 'must be an https URL';
  }
  if (url.username !== '' || url.password !== '') return 'must hold no user or password';
  if (hosts.length > 0 && !hosts.some((host) => isBelow(url.hostname, host))) {
    return `must go to one of: ${hosts.join(', ')}`;
  }
  if (allowPrivate) return undefined;
  const address = addressIn(url);
  if (address !== undefined) return isPublic(address) ? undefined : 'must name a public host, not such an address';
  const isInside = !url.hostname.includes('.') || url.hostname.endsWith('.') || INSIDE.test(url.hostname);
  return isInside ? 'must name a public host, not one that only its own network knows' : undefined;
}

/** The address that the URL names its host by, if it does. */
export function addressIn({ hostname }: URL): string | undefined {
  const bare = hostname.replace(/^\[|\]$/g, '');
  return isIP(bare) === 0 ? undefined : bare;
}

function parsed(text: string): URL | undefined {
  try {
    return new URL(text);
  } catch {
    return undefined;
  }
}

function isBelow(hostname: string, host: string): boolean {
  return host.startsWith('*.') ? hostname.endsWith(host.slice(1)) : hostname === host;
}
