/** `npm run keys` on Firestore's emulator, as processes. */
import { expect, test } from 'vitest';
import { systemClock } from '../../shared/adapters/system-clock.ts';
import { apiKeyAuthenticator } from '../../shared/http/api-keys.ts';
import { googleRuntime } from '../../shared/runtime.ts';
import { describeOnEmulators, emulatorConfig } from '../support/emulators.ts';
import { runKeys } from '../support/operator-process.ts';

describeOnEmulators('npm run keys', () => {
  test('makes and lists keys in the project that it is given', async () => {
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
