/** What a piece of work asks of the network: each name that Node resolves and each TCP connection that it begins. */
import { AsyncLocalStorage, createHook } from 'node:async_hooks';

const asked = new AsyncLocalStorage<string[]>();

/** Does the work, and answers what it asked of the network, as Node's own names for it. */
export async function outboundOf(work: () => Promise<unknown>): Promise<string[]> {
  const kinds: string[] = [];
  const hook = createHook({
    init(_id, type) {
      if (/^(TCPCONNECTWRAP|GETADDRINFOREQWRAP|QUERYWRAP|UDPSENDWRAP)$/.test(type)) asked.getStore()?.push(type);
    },
  }).enable();
  try {
    await asked.run(kinds, work);
    return kinds;
  } finally {
    hook.disable();
  }
}
