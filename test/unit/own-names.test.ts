/** By which names the local service answers, and when any name will do. */
import { expect, test } from 'vitest';
import { onlyOwnNames } from '../../infra/own-names.ts';

async function statusOf(url: string, settings: { host?: string; authModes?: string[] } = {}) {
  const fetch = onlyOwnNames(() => new Response(), { host: '127.0.0.1', authModes: [], ...settings });
  return (await fetch(new Request(url))).status;
}

test.each(['localhost:8080', 'LOCALHOST', 'app.localhost', '127.0.0.1', '127.1', '2130706433', '[::1]:8080'])(
  '%s is this machine',
  async (host) => {
    for (const own of ['127.0.0.1', '::1', 'localhost'])
      expect(await statusOf(`http://${host}/`, { host: own })).toBe(200);
  },
);

test.each(['evil.example', 'localhost.evil.example', 'notlocalhost', '0.0.0.0', '10.0.0.1', '[::ffff:127.0.0.1]'])(
  '%s is not',
  async (host) => {
    expect(await statusOf(`http://${host}/`)).toBe(403);
  },
);

test.each([{ host: '0.0.0.0' }, { host: '192.168.1.2' }, { host: '::' }, { authModes: ['api-key'] }])(
  'with %j any name will do',
  async (settings) => {
    expect(await statusOf('http://jobs.example/', settings)).toBe(200);
  },
);
