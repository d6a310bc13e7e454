/**
 * Loaded into a process that runs jobs, before its own code (`NODE_OPTIONS=--import`): a call whose body holds `[stray]` also
 * leaves a rejection that nobody handles and throws an exception that nobody catches, as a careless library would.
 */
const plain = globalThis.fetch;

globalThis.fetch = (url, init) => {
  if (typeof init?.body === 'string' && init.body.includes('[stray]')) {
    void Promise.reject(new Error(`stray rejection about ${init.body}`));
    setTimeout(() => {
      throw new TypeError(`stray exception about ${init.body}`);
    }, 10);
  }
  return plain(url, init);
};
