/**
 * Loaded into a process that runs jobs, before its own code (`NODE_OPTIONS=--import`): a call whose body holds `[poison]`
 * is on its way when it kills the process, as memory that runs out or a fault in native code would.
 */
const SENT_MS = 200;
const plain = globalThis.fetch;

globalThis.fetch = (url, init) => {
  if (typeof init?.body === 'string' && init.body.includes('[poison]'))
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), SENT_MS);
  return plain(url, init);
};
