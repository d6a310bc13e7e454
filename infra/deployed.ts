/** What a deployment made, as Terraform says, and what whoever deployed it wants to know next. */
import { systemClock } from '../shared/adapters/system-clock.ts';
import { SECRET_VARIABLES } from '../shared/config-places.ts';
import { type Unavailable, unavailableProviders } from '../shared/runtime-models.ts';
import { StepError } from './operating.ts';
import type { Deployment } from './terraform.ts';

export type Made = {
  project: string;
  name: string;
  url: string;
  database: string;
  /** `AUTH_MODE` as it is deployed. */
  authModes: string[];
  hasConsole: boolean;
  unavailable: Unavailable[];
};

/** Reads the outputs of `outputs.tf`. */
export function toMade(outputs: Record<string, unknown>, { project, name }: Deployment): Made {
  const { url, database = '(default)', auth_mode: authMode = '', configured_providers: configured = [] } = outputs;
  if (typeof url !== 'string' || url === '')
    throw new StepError('Terraform has no output `url`: was anything applied?');
  const keyless = { clock: systemClock(), openaiCompatibleModels: [], simulatedMs: 0, modelAliases: new Map() };
  return {
    ...{ project, name, url, database: String(database) },
    hasConsole: outputs.console === true,
    authModes: String(authMode).split(',').filter(Boolean),
    unavailable: unavailableProviders(keyless, configured as string[]),
  };
}

/** The secret's name in Secret Manager. */
export const secretIdOf = (name: string, variable: string): string =>
  `${name}-${variable.toLowerCase().replaceAll('_', '-')}`;

/** Where it is, where to look, and what is missing. */
export function afterwards({ project, name, url, hasConsole, unavailable }: Made): string {
  const console = 'https://console.cloud.google.com';
  return [
    '',
    `llm-jobs is deployed at ${url}`,
    ...(hasConsole ? [`  its console   ${url}/`] : []),
    `  its API       ${url}/docs`,
    `  its functions ${console}/run?project=${project}`,
    `  its log       ${console}/logs/query?project=${project}`,
    `  its alerts    ${console}/monitoring/alerting?project=${project}`,
    `  what to do when one fires: infra/RUNBOOK.md`,
    '',
    ...missing(unavailable, name, project),
    `A key for a client: npm run keys -- create --name my-app --project ${project}`,
  ].join('\n');
}

function missing(unavailable: Unavailable[], name: string, project: string): string[] {
  const secret = unavailable.find(({ variable }) => SECRET_VARIABLES.includes(variable));
  if (unavailable.length === 0) return [];
  const lines = [
    'Unavailable until they have what they want:',
    ...unavailable.map(({ provider, variable }) => `  the models of ${provider}: ${variable}`),
  ];
  if (secret === undefined) return [...lines, ''];
  const { variable } = secret;
  return [
    ...lines,
    'A key is added so, typed or pasted, with Ctrl-D after it; then name its version in terraform.tfvars, and deploy again:',
    `  gcloud secrets versions add ${secretIdOf(name, variable)} --data-file=- --project ${project}`,
    `  secrets = { ${variable} = "1" }`,
    '',
  ];
}
