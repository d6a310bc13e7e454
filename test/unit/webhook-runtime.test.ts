/** Which webhooks a runtime calls: as its settings say, and whose. */
import { expect, test } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { readConfig } from '../../shared/config.ts';
import { sharedParts } from '../../shared/runtime-shared.ts';

const SECRET = 'whsec_bmV3IHNlY3JldCBvZiB0d2VudHktZm91ciBieXRlcyEh';
const CLOUD = { K_SERVICE: 'worker', GOOGLE_CLOUD_PROJECT: 'p', AUTH_MODE: 'api-key', INVOKERS: 'iam' };

function webhooksWith(environment: Record<string, string>) {
  return sharedParts(readConfig(environment), systemClock(), () => {}).webhooks;
}

test('on this machine all may be called, on Google Cloud what is public, and nothing without secrets', () => {
  expect(webhooksWith({})?.refusalOf('http://127.0.0.1:9000/')).toBeUndefined();
  expect(webhooksWith(CLOUD)).toBeUndefined();
  const webhooks = webhooksWith({ ...CLOUD, WEBHOOK_SECRETS: SECRET });
  expect(webhooks?.refusalOf('https://hooks.example.com/')).toBeUndefined();
  for (const url of ['http://hooks.example.com/', 'https://127.0.0.1/', 'https://metadata.google.internal/']) {
    expect([url, webhooks?.refusalOf(url)]).toEqual([url, expect.any(String)]);
  }
  expect(webhooks?.secretsOf('default')).toEqual([SECRET]);
});

test('where hosts are listed, those alone', () => {
  const webhooks = webhooksWith({ ...CLOUD, WEBHOOK_SECRETS: SECRET, WEBHOOK_HOSTS: 'hooks.example.com' });
  expect(webhooks?.refusalOf('https://hooks.example.com/')).toBeUndefined();
  expect(webhooks?.refusalOf('https://evil.example/')).toBe('must go to one of: hooks.example.com');
});
