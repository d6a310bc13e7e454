/** The client in a browser, on the emulators. */
import { once } from 'node:events';
import { startTestStack } from '../support/emulator-stack.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { warmUp } from '../support/http-client.ts';
import { clientPagesSuite } from './client-pages.ts';

async function start() {
  const stack = await startTestStack({ LEASE_MS: '3000' });
  await warmUp(stack.baseUrl);
  return stack;
}

/** Whatever answers a page dies, and the worker, too; each is started again by itself. */
async function startMortal() {
  const stack = await start();
  const { submit, status, stream, worker } = stack.functions;
  return {
    ...stack,
    async die() {
      const dying = [submit, status, stream, worker].map((one) => one.child());
      const died = Promise.all(dying.map((child) => once(child, 'exit')));
      for (const child of dying) child.kill('SIGKILL');
      await died;
    },
    comeBack: async () => undefined,
  };
}

describeOnEmulators('on the emulators,', () => {
  clientPagesSuite('the emulators', start, startMortal);
});
