/** `npm run deploy`, `npm run rollback` and `npm run smoke`, as processes; terraform, gcloud and npm are programs that note their words. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { fakeTools, programWith, type Told } from '../support/fake-tools.ts';
import { type LocalProcess, startLocalProcess } from '../support/local-process.ts';

const TOOLS = ['terraform', 'gcloud', 'npm'];
const P = 'demo-project-1';
const change = (type: string, ...actions: string[]) => ({ address: `${type}.x`, type, change: { actions } });
const PLAN = { resource_changes: [change('google_pubsub_topic', 'create'), change('google_storage_bucket', 'no-op')] };

let tools: ReturnType<typeof fakeTools> | undefined;
let service: LocalProcess;
beforeAll(async () => {
  service = await startLocalProcess({ PORT: String(await freePort()), DATABASE_URL: ':memory:', SIMULATED_MS: '100' });
  return () => stopGroup(service.child);
}, 40_000);
afterEach(() => tools?.remove());

/** What all programs answer where all is well; the first that fits counts. */
function told(more: Told[] = [], plan: object = PLAN, url = service.baseUrl): Told[] {
  const outputs = {
    url: { value: url },
    console: { value: true },
    auth_mode: { value: 'none' },
    configured_providers: { value: ['gemini'] },
  };
  return [
    ...more,
    { words: 'terraform version', stdout: '{"terraform_version":"1.11.4"}' },
    { words: ' plan -input', makes: 'plan' },
    { words: ' show -json', stdout: JSON.stringify(plan) },
    { words: ' output -json', stdout: JSON.stringify(outputs) },
  ];
}

async function deploy(words: string, given: Told[] = told(), { stdin = '', installed = TOOLS } = {}) {
  const made = fakeTools(installed, given);
  tools = made;
  const place = {
    folder: made.work,
    planFile: join(made.folder, 'plan'),
    servingFile: join(made.folder, 'serving.json'),
  };
  const { status, output } = await made.run(programWith('deploy', words.split(' ').filter(Boolean), place), stdin);
  const calls = made.calls().map((line) => line.replaceAll(made.folder, '…'));
  return { status, output, calls, place };
}

const BEFORE = [
  'terraform version -json',
  `gcloud projects describe ${P} --format=json`,
  'gcloud auth application-default print-access-token --quiet',
];

describe('deploy', () => {
  test('bundles, plans, asks, applies and tries it, in this order, and says what is missing', async () => {
    const { status, output, calls, place } = await deploy(`--project ${P}`, told(), { stdin: 'yes\n' });
    expect(output).toContain('The plan: 1 to create, 0 to change, 0 to replace, 0 to destroy.');
    expect(status).toBe(0);
    expect(calls).toEqual([
      ...BEFORE,
      'npm run build',
      `gcloud services enable serviceusage.googleapis.com cloudresourcemanager.googleapis.com --project ${P}`,
      `gcloud storage buckets describe gs://${P}-llm-jobs-terraform --project ${P} --format=json`,
      `terraform -chdir=…/infra init -input=false -reconfigure -backend-config=bucket=${P}-llm-jobs-terraform -backend-config=prefix=llm-jobs`,
      `terraform -chdir=…/infra plan -input=false -out=…/plan -var=project=${P} -var=name=llm-jobs`,
      'terraform -chdir=…/infra show -json …/plan',
      `gcloud run services list --project ${P} --format=json --quiet`,
      'terraform -chdir=…/infra apply -input=false …/plan',
      'terraform -chdir=…/infra output -json',
    ]);
    expect(readFileSync(join(place.folder, 'backend_override.tf'), 'utf8')).toContain('backend "gcs" {}');
    expect(output.match(/^✓/gm)).toHaveLength(8);
    expect(output).toMatch(/^✓ console .* \d+ files$/m);
    expect(output).toContain(`its console   ${service.baseUrl}/`);
    expect(output).toContain(`llm-jobs is deployed at ${service.baseUrl}`);
    expect(output).toContain('the models of openai: OPENAI_API_KEY');
    expect(output).not.toContain('the models of gemini');
    expect(output).toContain(`gcloud secrets versions add llm-jobs-openai-api-key --data-file=- --project ${P}`);
  });

  test('a bucket that is missing is made, private and with its versions', async () => {
    const missing = { words: 'buckets describe', code: 1, stderr: 'ERROR: not found: 404.' };
    const { calls } = await deploy(`--project ${P} --region europe-west1 --plan-only`, told([missing]));
    expect(calls.filter((line) => /buckets (create|update)/.test(line))).toEqual([
      `gcloud storage buckets create gs://${P}-llm-jobs-terraform --project ${P} --location europe-west1 --uniform-bucket-level-access --public-access-prevention`,
      `gcloud storage buckets update gs://${P}-llm-jobs-terraform --versioning --project ${P}`,
    ]);
  });

  test.each<[string, string, Told[], string, string]>([
    ['gcloud knows no project', '', [{ words: 'projects describe', code: 1 }], 'is not there', BEFORE[1] ?? ''],
    [
      'no credentials',
      '',
      [{ words: 'application-default', code: 1 }],
      'auth application-default login',
      BEFORE[2] ?? '',
    ],
    [
      'an old terraform',
      '',
      [{ words: 'version', stdout: '{"terraform_version":"1.5.7"}' }],
      'take 1.9',
      BEFORE[0] ?? '',
    ],
    ['a build that fails', '', [{ words: 'npm run build', code: 1 }], 'npm run build failed', 'npm run build'],
    [
      'a bucket of others',
      '',
      [{ words: 'buckets describe', code: 1, stderr: 'HTTP 403' }],
      'HTTP 403',
      'gcloud storage',
    ],
    ['an init that fails', '', [{ words: ' init ', code: 1 }], 'init failed', 'terraform -chdir=…/infra init'],
    ['a plan that fails', '', [{ words: ' plan ', code: 1 }], 'plan failed', 'terraform -chdir=…/infra plan'],
    [
      'an apply that fails',
      ' --yes',
      [{ words: ' apply ', code: 1 }],
      'failed (1); nothing after it',
      'terraform -chdir=…/infra apply',
    ],
  ])('%s stops everything', async (_, more, failing, sentence, last) => {
    const { status, output, calls } = await deploy(`--project ${P}${more}`, told(failing));
    expect(status).toBe(1);
    expect(output).toContain(sentence);
    expect(output).not.toMatch(/^\s+at /m);
    expect(calls.at(-1)?.startsWith(last)).toBe(true);
  });

  test.each(['', 'no\n', 'y\n'])('who answers %o applies nothing', async (stdin) => {
    const { status, calls } = await deploy(`--project ${P}`, told(), { stdin });
    expect(status).toBe(1);
    expect(calls.some((line) => line.includes(' apply '))).toBe(false);
  });

  test.each(['google_firestore_database', 'google_pubsub_subscription'])(
    '--yes applies no plan that deletes a %s',
    async (type) => {
      const plan = { resource_changes: [change(type, 'delete', 'create')] };
      const { status, output, calls } = await deploy(`--project ${P} --yes`, told([], plan));
      expect(status).toBe(1);
      expect(output).toContain(`--yes does not delete ${type}.x`);
      expect(calls.some((line) => line.includes(' apply '))).toBe(false);
    },
  );

  test('--apply-only applies what was planned, and nothing where nothing was', async () => {
    const { status, output } = await deploy(`--project ${P} --apply-only --yes`);
    expect([status, output]).toEqual([1, 'There is no plan: deploy with --plan-only first.\n']);
  });

  test.each(['terraform', 'gcloud'])('without %s it says where that comes from', async (tool) => {
    const { output } = await deploy(`--project ${P}`, told(), { installed: TOOLS.filter((one) => one !== tool) });
    expect(output).toContain(`${tool} is not installed: take`);
  });

  test.each([
    ['', '--project is required'],
    ['--project X', '--project must be the id of a project'],
    [`--project ${P} --plan-only --smoke-only`, 'cannot both be'],
    [`--project ${P} --var-file nowhere.tfvars`, 'there is no file'],
  ])('deploy %s is refused before anything is done', async (words, sentence) => {
    const { status, output, calls } = await deploy(words);
    expect([status, calls]).toEqual([1, []]);
    expect(output).toContain(sentence);
    expect(existsSync(join(tools?.work ?? '', 'backend_override.tf'))).toBe(false);
  });

  test('a console that was deployed and is not there fails the smoke test', async () => {
    const port = String(await freePort());
    const without = await startLocalProcess({ PORT: port, DATABASE_URL: ':memory:', CONSOLE: 'false' });
    try {
      const { status, output } = await deploy(`--project ${P} --yes`, told([], PLAN, without.baseUrl));
      expect([status, output]).toEqual([1, expect.stringContaining('The step "console" failed')]);
      expect(output).toContain('/ answered 404. There is no GET /.');
    } finally {
      await stopGroup(without.child);
    }
  });

  test('a service that does not answer fails the smoke test, after it was applied', async () => {
    const given = told([], PLAN, `http://127.0.0.1:${await freePort()}`);
    const { status, output } = await deploy(`--project ${P} --yes`, given);
    expect(status).toBe(1);
    expect(output).toContain('The step "health" failed');
    expect(output).toContain('ECONNREFUSED');
  });
});

describe('rollback of a deployment whose smoke test failed', () => {
  const serves = (name: string, revision: string) => ({
    metadata: { name: `llm-jobs-${name}` },
    status: { latestReadyRevisionName: revision, traffic: [{ latestRevision: true, percent: 100 }] },
  });
  const list = (...services: object[]) => ({ words: 'run services list', stdout: JSON.stringify(services) });

  /** Deploys over what served, in vain, and answers what a rollback then asks for, after what serves now. */
  async function back(before: Told, after: Told) {
    const given = told([before], PLAN, `http://127.0.0.1:${await freePort()}`);
    const { status, output, place } = await deploy(`--project ${P} --yes`, given);
    expect([status, output]).toEqual([1, expect.stringContaining('The step "health" failed')]);
    expect(output).toContain(`npm run rollback -- --project ${P} --name llm-jobs --to `);
    const noted = readFileSync(place.servingFile, 'utf8');
    tools?.remove();
    const made = fakeTools(TOOLS, [after]);
    tools = made;
    const file = join(made.folder, 'serving.json');
    writeFileSync(file, noted);
    const words = ['--project', P, '--to', file, '--yes'];
    return { ...(await made.run(programWith('rollback', words))), calls: made.calls() };
  }

  test('sends back what it changed, and nothing else', async () => {
    const before = list(serves('api', 'api-1'), serves('worker', 'worker-4'), serves('status', 'status-2'));
    const after = list(
      ...[serves('api', 'api-2'), serves('worker', 'worker-5'), serves('status', 'status-2')],
      serves('stream', 'stream-1'),
    );
    const { status, output, calls } = await back(before, after);
    expect(status).toBe(0);
    const where = `--project ${P} --region us-central1`;
    expect(calls).toEqual([
      `gcloud run services list ${where} --format=json`,
      `gcloud run services update-traffic llm-jobs-api --to-revisions=api-1=100 ${where} --quiet`,
      `gcloud run services update-traffic llm-jobs-worker --to-revisions=worker-4=100 ${where} --quiet`,
    ]);
    expect(output).toMatch(/stream +stream-1 +- \(none served it before\)/);
  });

  test('of the first one finds nothing to go back to', async () => {
    const empty = { words: 'run services list', code: 1, stderr: 'ERROR: … reason: SERVICE_DISABLED' };
    const { status, output, calls } = await back(empty, list(serves('api', 'api-1')));
    expect([status, calls.length]).toEqual([1, 1]);
    expect(output).toContain('Nothing can go back.');
  });
});
