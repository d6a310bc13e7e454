/**
 * Experiments: jobs shared out among variants by weight. Which variant a job gets follows from the experiment's name and
 * its subject alone (without a subject, the job's id), so that a repeat, anywhere, gets the same one. Pure.
 */
import type { FieldError } from './errors.ts';
import { sha256 } from './ids.ts';
import type { Json } from './job.ts';
import { jsonBytes } from './json-bytes.ts';

/** One way to ask, and how many of a hundred jobs get it. */
export type Variant = {
  name: string;
  weight: number;
  /** In place of the job's own. */
  model?: string | undefined;
  /** Laid over the job's input, field by field. */
  input?: { [field: string]: Json } | undefined;
};

export type Experiment = {
  name: string;
  /** Whoever sees one variant and no other: jobs of one subject get the same one. Absent: each job is shared out by itself. */
  subject?: string | undefined;
  variants: Variant[];
};

export const VARIANTS_LEAST = 2;
export const VARIANTS_MOST = 10;
/** Of experiments and variants; an arm is `experiment/variant`, so neither has a slash. */
export const EXPERIMENT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
export const EXPERIMENT_NAME_RULE =
  'must be 1 to 64 letters, digits, dots, underscores or hyphens, not beginning with one of those three';
export const VARIANTS_RULE = `must hold ${VARIANTS_LEAST} to ${VARIANTS_MOST} variants`;
export const WEIGHT_RULE = 'must be a number above 0 and below 100, with at most two decimals';

/** So many of these a job is sorted into: a weight has two decimals. */
const BUCKETS = 10_000;

/** Can a variant have this weight? */
export function isWeight(weight: number): boolean {
  return weight > 0 && weight < 100 && Math.abs(weight * 100 - hundredths(weight)) < 1e-6;
}

/** What is wrong with an experiment for itself. */
export function experimentErrors({ name, variants }: Experiment): FieldError[] {
  const wrong: FieldError[] = [];
  if (!EXPERIMENT_NAME.test(name)) wrong.push({ path: 'experiment.name', message: EXPERIMENT_NAME_RULE });
  if (variants.length < VARIANTS_LEAST || variants.length > VARIANTS_MOST) {
    wrong.push({ path: 'experiment.variants', message: VARIANTS_RULE });
  }
  for (const [index, variant] of variants.entries()) {
    const path = variantPath(index);
    const same = variants.findIndex((other) => other.name === variant.name);
    if (!EXPERIMENT_NAME.test(variant.name)) wrong.push({ path: `${path}.name`, message: EXPERIMENT_NAME_RULE });
    else if (same < index) {
      wrong.push({ path: `${path}.name`, message: `is the name of ${variantPath(same)} already; take another one` });
    }
    if (!isWeight(variant.weight)) wrong.push({ path: `${path}.weight`, message: WEIGHT_RULE });
  }
  const sum = variants.reduce((total, { weight }) => total + hundredths(weight), 0);
  if (wrong.length === 0 && sum !== BUCKETS) {
    const message = `weights must add up to 100; these add up to ${sum / 100}`;
    wrong.push({ path: 'experiment.variants', message });
  }
  return wrong;
}

/** Where a variant is in a submission. */
export function variantPath(index: number): string {
  return `experiment.variants.${index}`;
}

/** Which of an experiment's variants the job of this id gets. */
export async function variantOf({ name, subject, variants }: Experiment, jobId: string): Promise<number> {
  return variantAt(variants, await bucketOf(name, subject ?? jobId));
}

/** A number below 10,000 that these words always give. */
export async function bucketOf(experiment: string, subject: string): Promise<number> {
  const hash = await sha256(jsonBytes([experiment, subject]));
  return hash.reduce((rest, byte) => (rest * 256 + byte) % BUCKETS, 0);
}

/** The variant whose share of all buckets this one is in. */
export function variantAt(variants: readonly Pick<Variant, 'weight'>[], bucket: number): number {
  let end = 0;
  const found = variants.findIndex(({ weight }) => {
    end += hundredths(weight);
    return bucket < end;
  });
  return found === -1 ? variants.length - 1 : found;
}

/** What jobs of a variant are counted under. */
export function armOf({ name, variants }: Experiment, variant: number): string {
  return `${name}/${variants[variant]?.name}`;
}

function hundredths(weight: number): number {
  return Math.round(weight * 100);
}
