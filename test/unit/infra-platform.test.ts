/** What Google Cloud would refuse, or take amiss later, is found here. */
import { expect, test } from 'vitest';
import { everyRule } from '../support/infra-every-rule.ts';
import { type Infra, inner, readInfra, resources } from '../support/infra-terraform.ts';

const withoutSecrets = (infra: Infra) =>
  String(resources(infra, 'google_project_service').this?.for_each).replace('secretmanager.googleapis.com', 'x');

test.each<[string, (infra: Infra) => void, string[]]>([
  [
    'an API that is not on',
    (infra) =>
      void Object.assign(resources(infra, 'google_project_service').this ?? {}, { for_each: withoutSecrets(infra) }),
    ['secretmanager.googleapis.com is not enabled'],
  ],
  [
    'more at once than Cloud Run allows',
    ({ functions }) => void Object.assign(functions.stream ?? {}, { concurrency: 1_001 }),
    ['stream: 1001 at once is more than Cloud Run allows'],
  ],
  [
    'too little memory',
    ({ functions }) => void Object.assign(functions.status ?? {}, { memory: '256Mi' }),
    ["status: 256Mi is less than Cloud Run's second generation wants"],
  ],
  [
    'half a CPU for many requests',
    ({ functions }) => void Object.assign(functions.worker ?? {}, { cpu: '0.5' }),
    ['worker: 0.5 CPU serves one request at a time'],
  ],
  [
    'a lease that not all know',
    ({ environment }) => void environment.LEASE_MS?.functions?.pop(),
    ['LEASE_MS must be given to sweeper, too'],
  ],
  [
    'deliveries in quick succession',
    (infra) =>
      void Object.assign(inner(resources(infra, 'google_pubsub_subscription').this, 'retry_policy'), {
        maximum_backoff: '10s',
      }),
    ['this: comes again after 10s to 10s'],
  ],
  [
    'a certificate that is deleted first',
    (infra) => void delete resources(infra, 'google_compute_managed_ssl_certificate').this?.lifecycle,
    ['the certificate this cannot be replaced while it is used'],
  ],
  [
    'a project that is read late',
    ({ terraform }) =>
      void Object.assign(terraform.data.google_project?.this?.[0] ?? {}, {
        depends_on: ['google_project_service.this'],
      }),
    ['data.google_project.this is not known at the plan'],
  ],
  [
    'a grant to an agent that is not there yet',
    (infra) => void delete resources(infra, 'google_pubsub_topic_iam_member').dead_letters?.depends_on,
    ["google_pubsub_topic_iam_member.dead_letters: Pub/Sub's agent may not be there"],
  ],
  [
    'a build right after its grants',
    (infra) => void Object.assign(resources(infra, 'time_sleep').granted ?? {}, { create_duration: '1s' }),
    ['functions are built before their grants hold'],
  ],
])('%s is found', async (_, breakIt, found) => {
  const infra = await readInfra();
  breakIt(infra);
  expect(everyRule(infra)).toEqual(found);
});
