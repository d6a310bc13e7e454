/** Credentials that are not there at first: what a process could not do then it can do later. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { firestoreClient } from '../../shared/adapters/firestore-client.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'credentials-'));
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', join(folder, 'key.json'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('a client that finds no credentials is made anew, and one that never finds any can be closed', async () => {
  const client = firestoreClient({ projectId: 'p' });
  await client.load();
  await expect(client.connect()).rejects.toThrow(/key\.json|credentials/i);
  await client.close();
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = {
    type: 'service_account',
    client_email: 'a@b.example',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
  writeFileSync(join(folder, 'key.json'), JSON.stringify(key));
  const [one, other] = await Promise.all([client.connect(), client.connect()]);
  expect(one).toBe(other);
  await client.close();
});
