/** What a submission may say of which models answer it, and of how: fallbacks, an experiment, a cached answer, background mode. */
import { z } from 'zod';
import {
  EXPERIMENT_NAME,
  EXPERIMENT_NAME_RULE,
  type Experiment,
  isWeight,
  VARIANTS_LEAST,
  VARIANTS_MOST,
  VARIANTS_RULE,
  WEIGHT_RULE,
} from '../core/experiments.ts';
import { FALLBACKS_MOST, FALLBACKS_RULE } from '../core/fallbacks.ts';
import type { Json } from '../core/job.ts';
import type { SubmissionExtras } from '../core/submitting.ts';
import { fields, refuseLostName } from './fields.ts';

/** A model's UUID, the provider's name for it, or its name as shown to people. */
export const modelId = z.string().min(1, { error: 'must not be empty' }).max(200);

const CACHE_SECONDS_MOST = 2_592_000;
const CACHE = `must be a whole number of seconds from 1 to ${CACHE_SECONDS_MOST}`;
const SUBJECT_MOST = 200;

const name = z.string().regex(EXPERIMENT_NAME, { error: EXPERIMENT_NAME_RULE });

const variant = fields({
  name,
  weight: z
    .number({ error: WEIGHT_RULE })
    .refine(isWeight, { error: WEIGHT_RULE })
    .describe('How many of a hundred jobs get it; up to two decimals. All weights add up to 100.'),
  model_id: modelId.describe("In place of the job's own.").optional(),
  input_data: z
    .preprocess(refuseLostName, z.record(z.string(), z.unknown()))
    .describe("Fields in place of those of the job's `input_data`, or beside them.")
    .optional(),
});

/** What any submission may say of its routes. */
export const routingFields = {
  fallbacks: z
    .array(modelId)
    .min(1, { error: FALLBACKS_RULE })
    .max(FALLBACKS_MOST, { error: FALLBACKS_RULE })
    .describe(
      'Other models that may answer, in order, when the one before cannot: each a UUID, a name, or `provider/model`.',
    )
    .optional(),
  experiment: fields({
    name: name.describe('What its figures are found under, as `name/variant`.'),
    subject: z
      .string()
      .min(1, { error: 'must not be empty' })
      .max(SUBJECT_MOST)
      .describe('Jobs of one subject, such as a user, get the same variant. Absent: each job is shared out by itself.')
      .optional(),
    variants: z
      .array(variant)
      .min(VARIANTS_LEAST, { error: VARIANTS_RULE })
      .max(VARIANTS_MOST, { error: VARIANTS_RULE }),
  })
    .describe('Shares jobs out among variants by weight. The variant of a job is known with it, and never changes.')
    .optional(),
  cache_ttl_seconds: z
    .int({ error: CACHE, abort: true })
    .min(1, { error: CACHE })
    .max(CACHE_SECONDS_MOST, { error: CACHE })
    .describe('An answer to an equal job of your organisation that is not older will do; it costs nothing.')
    .optional(),
  background: z
    .boolean()
    .describe(
      'Let the provider work on it by itself (its background mode): for answers that take longer than a call may.',
    )
    .optional(),
};

type RoutingFields = { [field in keyof typeof routingFields]?: z.infer<(typeof routingFields)[field]> };

/** What a body says of its routes, as the core takes it. */
export function toRouting({ fallbacks, experiment, cache_ttl_seconds, background }: RoutingFields): SubmissionExtras {
  return {
    fallbacks,
    experiment: experiment && toExperiment(experiment),
    cacheMs: cache_ttl_seconds === undefined ? undefined : cache_ttl_seconds * 1_000,
    background: background || undefined,
  };
}

function toExperiment({ name, subject, variants }: NonNullable<RoutingFields['experiment']>): Experiment {
  return {
    ...{ name, subject },
    variants: variants.map(({ name, weight, model_id, input_data }) => ({
      ...{ name, weight, model: model_id },
      input: input_data as { [field: string]: Json } | undefined,
    })),
  };
}
