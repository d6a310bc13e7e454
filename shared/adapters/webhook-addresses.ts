/** Which addresses are on the internet, and not on a network that only we can reach. */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** All that was ever given to networks on the internet. */
const GLOBAL_UNICAST = ipaddr.IPv6.parseCIDR('2000::/3');
/** Addresses like any other, but within a cloud they are its own services: Azure's. */
const CLOUDS_OWN = ['168.63.129.16'];

/**
 * May a stranger name it? An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4, Teredo) is refused whatever it
 * carries: nobody's receiver has only such a one.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
export function isPublicAddress(text: string): boolean {
  if (isIP(text) === 0 || CLOUDS_OWN.includes(text)) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast') return false;
  return address instanceof ipaddr.IPv4 || (address as ipaddr.IPv6).match(GLOBAL_UNICAST);
}
