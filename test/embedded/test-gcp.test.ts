/** `npm run test:gcp` up to where Google Cloud would be asked; on the emulators it was run as it is. */
import { afterEach, expect, test } from 'vitest';
import { fakeTools } from '../support/fake-tools.ts';

const P = 'demo-project-1';

let tools: ReturnType<typeof fakeTools> | undefined;
afterEach(() => tools?.remove());

/** `environment` holds what counts: the emulators, and where credentials are. */
async function testGcp(words: string[], environment: Record<string, string> = {}) {
  tools = fakeTools(['gcloud', 'npx'], [{ words: 'projects describe', stdout: '{"projectNumber":"7"}' }]);
  const counting = { FIRESTORE_EMULATOR_HOST: '', PUBSUB_EMULATOR_HOST: '', ...environment };
  const code = `
    Object.assign(process.env, ${JSON.stringify({ GOOGLE_APPLICATION_CREDENTIALS: '/nowhere.json', ...counting })});
    process.argv.splice(1, process.argv.length, 'test:gcp', ...${JSON.stringify(words)});
    await import('./test/gcp/run.ts');`;
  return { ...(await tools.run(['--import', 'tsx', '--input-type=module', '-e', code])), calls: tools.calls() };
}

test.each<[string, string[], Record<string, string>, string]>([
  ['no project', [], {}, '--project is required'],
  ['a word too many', ['--project', P, 'now'], {}, "'now' is one word too many"],
  [
    'one emulator',
    ['--project', P],
    { FIRESTORE_EMULATOR_HOST: '127.0.0.1:1' },
    'Set both FIRESTORE_EMULATOR_HOST and',
  ],
  ['no credentials', ['--project', P], {}, 'run gcloud auth application-default login'],
])('with %s it makes nothing', async (_, words, environment, sentence) => {
  const { status, output, calls } = await testGcp(words, environment);
  expect([status, calls]).toEqual([1, []]);
  expect(output).toContain(sentence);
  expect(output).not.toMatch(/^\s+at /m);
});

test('it says before what it makes, and what that costs', async () => {
  const { output } = await testGcp(['--project', P, '--url', 'https://jobs.example/']);
  expect(output).toMatch(
    /^In demo-project-1 this makes a database, llm-jobs-test-[0-9a-f]{8}, with its indexes, and topics/,
  );
  expect(output).toContain('half a cent');
  expect(output).toContain('At https://jobs.example it runs');
});
