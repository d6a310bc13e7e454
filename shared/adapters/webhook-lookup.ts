/** All addresses of the name of a receiver. */
import { lookup, Resolver } from 'node:dns/promises';

/** A name server that is silent is asked so often, with this patience, which doubles. */
const TRIES = 2;
const PATIENCE_MS = 2_000;

/** As this machine resolves it, by its own table of hosts, too. */
export async function machineLookup(name: string): Promise<string[]> {
  const found = await lookup(name, { all: true });
  return found.map(({ address }) => address);
}

/**
 * As the DNS has it. The machine's own way keeps one of Node's four threads until it has an answer: a few receivers whose
 * name servers are silent would hold up all that a process resolves and hashes.
 */
export function dnsLookup(servers: readonly string[] = []): (name: string) => Promise<string[]> {
  const resolver = new Resolver({ timeout: PATIENCE_MS, tries: TRIES });
  if (servers.length > 0) resolver.setServers(servers);
  return async (name) => {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    const [first] = answers;
    if (addresses.length === 0 && first.status === 'rejected') throw first.reason;
    return addresses;
  };
}
