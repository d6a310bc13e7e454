/** `npm run keys`, and `npm run accounts`, on Firestore's emulator, as processes. */
import { expect, test } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { apiKeyAuthenticator } from '../../shared/http/api-keys.ts';
import { googleRuntime } from '../../shared/runtime.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';
import { runAccounts, runKeys } from '../support/operator-process.ts';

describeOnEmulators('the programs of operators', () => {
  test('npm run accounts makes an account in the project that it is given, and grants once for each key', async () => {
    const { projectId, firestoreEmulatorHost: FIRESTORE_EMULATOR_HOST = '', ...config } = emulatorConfig();
    const accounts = (...words: string[]) =>
      runAccounts({ FIRESTORE_EMULATOR_HOST }, ...words, '--user', 'firebase:a/b', '--project', projectId);
    expect((await accounts('set', '--subscription', 'active')).code).toBe(0);
    const grant = ['grant', '--tokens', '700', '--key', 'invoice-17'];
    for (let n = 0; n < 2; n++)
      expect((await accounts(...grant)).stdout).toMatch(/\nfirebase:a\/b +default +active +700 /);
    const runtime = googleRuntime({ ...config, projectId, firestoreEmulatorHost: FIRESTORE_EMULATOR_HOST });
    const stored = await runtime.accounts.get({ tenant: 'default', user: 'firebase:a/b' });
    expect(stored?.account).toMatchObject({ balance: 700, subscription: 'active' });
    await runtime.close();
  });

  test('npm run keys makes and lists keys in the project that it is given', async () => {
    const config = emulatorConfig();
    const { projectId, firestoreEmulatorHost: FIRESTORE_EMULATOR_HOST = '' } = config;
    const runtime = googleRuntime(config);
    const answerTo = apiKeyAuthenticator({ store: runtime.apiKeys, clock: systemClock(), log: () => {} });
    const keys = (...words: string[]) => runKeys({ FIRESTORE_EMULATOR_HOST }, ...words, '--project', projectId);

    const { code, stdout, stderr } = await keys('create', '--name', 'reports');
    expect(code).toBe(0);
    const id = /key_id=([0-9a-f]{12})/.exec(stderr)?.[1] ?? 'none';
    expect(await answerTo(stdout.trim())).toMatchObject({ principal: { user: 'key:reports' } });
    expect((await keys('list')).stdout).toContain(`\n${id}  reports  default  key:reports`);
    await runtime.close();
  });
});
