/** What Terraform is told, looked at by Terraform before anything is made. */
import { describe, expect, test } from 'vitest';
import { evaluated } from '../support/infra-evaluated.ts';
import { readInfra } from '../support/infra-terraform.ts';

const infra = await readInfra();

describe('a variable', () => {
  const said = (variables: object) => {
    try {
      evaluated(infra, { fine: 'true' }, variables);
      return 'fine';
    } catch (error) {
      return (error as Error).message;
    }
  };
  const of = (publisher: object, key = 'default') => ({
    publishers: {
      default: { tenant: 'acme', user: 'reports' },
      [key]: { tenant: 'acme', user: 'reports', ...publisher },
    },
  });

  test.each<[object, string]>([
    [{ settings: { LEASES: '1' } }, 'settings has what is none, or what is set elsewhere'],
    [{ settings: { OPENAI_API_KEY: 'sk' } }, 'OPENAI_API_KEY'],
    [{ secrets: { OPENAI_API_KEY: 'latest' } }, 'secrets must have the number of a version each'],
    [{ secrets: { LEASE_MS: '1' } }, 'secrets may have'],
    [
      { console: true, settings: { SURFACES: 'streaming-jobs, prompt-generation' } },
      'console must be false where SURFACES',
    ],
    [{ split: true }, 'domain must be set where split is true'],
    [{ name: 'ab' }, 'name must be 3 to 18'],
    [{ service_accounts: { workers: 'w@p' } }, 'service_accounts must be named as in infra/roles.json'],
    [{ kms_key_name: 'k' }, 'docker_repository must be set'],
    [{ publishers: {} }, 'publishers must have `default`'],
    [of({}, 'Reports'), 'publishers must be named by'],
    [of({}, 'a-dead-letters'), 'publishers must be named by'],
    [of({ tenant: 'a~b' }), 'publishers must each have a tenant'],
    [of({ user: '' }), 'publishers must each have a tenant'],
    [{ min_instances: { apis: 1 } }, 'min_instances must be by function'],
    [{ max_instances: { apis: 1 } }, 'max_instances must be by function'],
  ])('that is wrong is refused before anything is made: %o', (variables, sentence) => {
    expect(said(variables)).toContain(sentence);
  });

  test('that is right is taken', () => {
    expect(said({ console: true, settings: { SURFACES: 'streaming-jobs, llm-jobs' } })).toBe('fine');
    expect(said({ ...of({}, 'reports'), min_instances: { api: 1 }, settings: { LEASE_MS: '9000' } })).toBe('fine');
  });
});
