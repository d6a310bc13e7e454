/** How a function starts where Google Cloud runs it: its bundle, under functions-framework, with the settings of a deployment. */
import { expect, test } from 'vitest';
import { bundleOf, entryPointOf, FUNCTIONS, type FunctionName } from '../../infra/bundle.ts';
import { startFunction } from '../../infra/function-process.ts';
import { describeOnEmulators } from '../support/emulators.ts';
import { runToEnd } from '../support/framework-process.ts';

const CLOUD = {
  K_SERVICE: 'f',
  LOG_FORMAT: 'json',
  GOOGLE_CLOUD_PROJECT: 'demo-p',
  AUTH_MODE: 'api-key',
  INVOKERS: 'iam',
};

describeOnEmulators('a deployed function', () => {
  const all = ['AUTH_MODE', 'INVOKERS', 'INVOKER_AUDIENCES', 'GOOGLE_CLOUD_PROJECT'];
  const needed = FUNCTIONS.map((name) => [name, name === 'console' ? all.slice(-1) : all] as const);
  test.each(needed)('%s without settings ends with one message, which is no stack trace', async (name, missing) => {
    const { code, output } = await runToEnd(bundleOf(name), entryPointOf(name), { K_SERVICE: name });
    expect(code).toBe(1);
    const lines = output.trim().split('\n');
    expect(lines).toHaveLength(1);
    const { severity, message } = JSON.parse(lines[0] ?? '');
    expect(severity).toBe('CRITICAL');
    expect(message.split('\n')).toEqual([
      'Settings are wrong:',
      ...missing.map((variable) => expect.stringMatching(new RegExp(`^ {2}${variable} must .* \\(.*\\)$`))),
    ]);
  });

  test('a worker that is called with events and trusts accounts ends so, too', async () => {
    const environment = { ...CLOUD, INVOKERS: 'a@b.example', INVOKER_AUDIENCES: 'https://c.example' };
    const more = ['--signature-type=cloudevent'];
    const { code, output } = await runToEnd(bundleOf('worker'), 'worker', environment, more);
    expect(code).toBe(1);
    expect(output).toContain('INVOKERS must be `iam` where the worker is called with events');
    expect(output).not.toMatch(/^\s+at /m);
  });

  test('an alias of a model that is not there ends the start like any other wrong setting', async () => {
    const environment = { ...CLOUD, MODEL_ALIASES: 'gpt-4=nonsense,my=gpt-4o' };
    const { code, output } = await runToEnd(bundleOf('api'), 'api', environment);
    expect(code).toBe(1);
    const said = output.split('\n').find((line) => line.includes('CRITICAL')) ?? '';
    expect(JSON.parse(said).message.split('\n')).toEqual([
      'Settings are wrong:',
      '  MODEL_ALIASES must name models of the catalog: there is no model "nonsense" (under `settings` in terraform.tfvars)',
      '  MODEL_ALIASES must name models of the catalog: there is no model "my" (under `settings` in terraform.tfvars)',
    ]);
  });

  test.each<FunctionName>(['api', 'worker'])(
    '%s without keys starts, and says which models are unavailable',
    async (name) => {
      const lines: string[] = [];
      const started = await startFunction({ name, environment: CLOUD, onLine: (line) => void lines.push(line) });
      try {
        await expect.poll(() => lines.filter((line) => line.includes('models-unavailable'))).toHaveLength(1);
        const said = JSON.parse(lines.find((line) => line.includes('models-unavailable')) ?? '');
        expect(said).toMatchObject({ severity: 'WARNING', providers: 'openai,gemini,anthropic,vertex' });
        expect(said.settings).toContain('OPENAI_API_KEY');
      } finally {
        await started.stop();
      }
    },
  );
});
