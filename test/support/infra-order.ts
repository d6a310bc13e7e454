/** What must be there before what: rules for the first apply, on an empty project, and for each one after it. */
import type { InfraRule } from './infra-rules.ts';
import { type Block, inner, resources } from './infra-terraform.ts';

const waitsFor = ({ depends_on: on }: Block = {}, address: string) => JSON.stringify(on ?? []).includes(address);

/** A data source that depends on a resource is read while that changes: what is made of it is unknown, and replaced. */
export const readAtPlan: InfraRule = ({ terraform }) =>
  Object.entries(terraform.data).flatMap(([type, named]) =>
    Object.entries(named).flatMap(([name, [block]]) =>
      block?.depends_on === undefined ? [] : [`data.${type}.${name} is not known at the plan`],
    ),
  );

/** Pub/Sub's agent is made before anything is granted to it. */
export const agentBeforeGrants: InfraRule = (infra) => {
  const made = Object.entries(resources(infra, 'google_project_service_identity'))
    .filter(([, { service }]) => service === 'pubsub.googleapis.com')
    .map(([name]) => `google_project_service_identity.${name}`);
  const types = Object.keys(infra.terraform.resource).filter((type) => type.includes('_iam_'));
  return types.flatMap((type) =>
    Object.entries(resources(infra, type))
      .filter(([, { member }]) => String(member).includes('local.pubsub_agent'))
      .filter(([, block]) => !made.some((address) => waitsFor(block, address)))
      .map(([name]) => `${type}.${name}: Pub/Sub's agent may not be there`),
  );
};

/** What builds a function may do so by then. */
export const grantedBeforeBuilds: InfraRule = (infra) => {
  const pauses = Object.entries(resources(infra, 'time_sleep'))
    .filter(([, block]) => waitsFor(block, 'google_project_iam_member.project'))
    .filter(([, { create_duration: pause }]) => Number.parseInt(String(pause), 10) >= 60);
  const builds = resources(infra, 'google_cloudfunctions2_function').this;
  const isLate = pauses.some(([name]) => waitsFor(builds, `time_sleep.${name}`));
  return isLate ? [] : ['functions are built before their grants hold'];
};

/** What is in use cannot be deleted: its next one is made first, and so has another name. */
export const replacedInUse: InfraRule = (infra) =>
  Object.entries(resources(infra, 'google_compute_managed_ssl_certificate'))
    .filter(
      ([, block]) =>
        inner(block, 'lifecycle').create_before_destroy !== true || !String(block.name).includes('var.domain'),
    )
    .map(([name]) => `the certificate ${name} cannot be replaced while it is used`);
