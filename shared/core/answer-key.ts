/** What makes two jobs equal: whatever an answer, or what becomes of it, may depend on. */
import { fingerprintOf, type Sha256 } from './ids.ts';
import type { Job, JobModel, Json } from './job.ts';
import type { JobType } from './job-type.ts';
import type { LeaderKey } from './leader-store.ts';
import { routesOf } from './routes.ts';

/**
 * Where a provider is, and what else of this process its answers depend on; `undefined` where there is only one such. Another
 * text for each of two that may answer differently.
 */
export type AddressOf = (provider: string) => string | undefined;

/** Another one makes all answers strangers, as when what is sent for the same request changes. */
const KEY_VERSION = 1;

/**
 * The same for equal jobs of a tenant, whoever submitted them, and another one where anything differs: the job type, the
 * models that may answer and where they are, the arm, what it may cost, whether it is made in the background, where an answer
 * may take much longer than anybody else would wait, the request that is sent, the input. Neither when nor by whom it was
 * submitted, nor what only its owner reads (tags, metadata, question id), counts.
 */
export async function answerKey(
  job: Job,
  input: Json,
  type: Pick<JobType, 'toRequest'>,
  addressOf: AddressOf,
  sha256?: Sha256,
): Promise<LeaderKey> {
  const { tenant, jobType, model, arm = null, nanoUsdMost = null, background = null } = job;
  const routes = routesOf(job).map((route) => placeOf(route.model, addressOf));
  // As JSON: what is left to the model is absent.
  const request = type.toRequest(input, model) as unknown as Json;
  const words: Json = { v: KEY_VERSION, tenant, jobType, routes, arm, nanoUsdMost, background, request, input };
  return { tenant, key: await fingerprintOf(words, sha256) };
}

function placeOf({ provider, model }: JobModel, addressOf: AddressOf): Json {
  return { provider, model, address: addressOf(provider) ?? null };
}
