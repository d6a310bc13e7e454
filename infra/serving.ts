/** Which revision of each function gets the traffic: noted before a deployment, so that what it changed can go back. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ask, lastLine } from './cloud-commands.ts';
import { OperatorError, StepError } from './operating.ts';
import type { Deployment } from './terraform.ts';

/** In the order in which they go back. */
export const ORDER = ['api', 'submit', 'status', 'stream', 'console', 'sweeper', 'dead-letter', 'worker'] as const;

/** As `gcloud run services list --format=json` has one. */
export type Service = {
  metadata: { name: string };
  status?: {
    latestReadyRevisionName?: string;
    traffic?: { revisionName?: string; percent?: number; latestRevision?: boolean }[];
  };
};

/** Names of revisions, by the names of their services. */
export type Serving = Readonly<Record<string, string>>;

/** Those services that are functions of this deployment, in the order in which they go back. */
export function ours(services: readonly Service[], prefix: string): { name: string; service: Service }[] {
  return ORDER.flatMap((name) => {
    const service = services.find(({ metadata }) => metadata.name === `${prefix}-${name}`);
    return service ? [{ name, service }] : [];
  });
}

/** The one revision that gets all traffic; or how many share it. */
export function servingOf({ status = {} }: Service): string | number | undefined {
  const serving = (status.traffic ?? []).filter(({ percent = 0 }) => percent > 0);
  if (serving.length !== 1) return serving.length;
  return serving[0]?.latestRevision ? status.latestReadyRevisionName : serving[0]?.revisionName;
}

/** Writes down what serves now. Where there is no Cloud Run yet, nothing does. */
export async function noteServing({ project, region, name }: Deployment, file: string): Promise<void> {
  const where = ['--project', project, ...(region === undefined ? [] : ['--region', region])];
  const { code, stdout, stderr } = await ask('gcloud', [
    'run',
    'services',
    'list',
    ...where,
    '--format=json',
    '--quiet',
  ]);
  const isEmpty = code !== 0 && /SERVICE_DISABLED|has not been used|not enabled/i.test(stderr);
  if (code !== 0 && !isEmpty) throw new StepError(`What serves now cannot be read: ${lastLine(stderr)}`);
  const services: Service[] = isEmpty ? [] : JSON.parse(stdout || '[]');
  const serving = ours(services, name).flatMap(({ service }) => {
    const revision = servingOf(service);
    return typeof revision === 'string' ? [[service.metadata.name, revision]] : [];
  });
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, `${JSON.stringify(Object.fromEntries(serving), null, 2)}\n`);
}

/** What a deployment wrote down. Throws a sentence for people. */
export async function readServing(file: string): Promise<Serving> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new OperatorError(`--to: there is no file ${file}; a deployment writes it before it applies anything.`);
  });
  try {
    return JSON.parse(text);
  } catch {
    throw new OperatorError(`--to: ${file} holds no JSON.`);
  }
}
