/** What is about to be submitted, as a form or as JSON. */
import { useEffect, useState } from 'react';
import type { FieldError } from '../../../shared/client/client.ts';
import { keep, readKept } from '../kept.ts';
import { EXAMPLES } from './examples.ts';
import { type Field, fieldsOf, type JsonSchema } from './fields.ts';
import { isObject, type Json, objectFrom, parsed, type Values, valuesFrom } from './values.ts';

/** The form of one job type. */
export type JobForm = { jobType: string; fields: Field[] };
export type Draft = {
  jobType: string;
  /** What was typed, by job type. */
  values: Readonly<Record<string, Values>>;
  /** The whole submission, where it is written as such. */
  json?: string | undefined;
};

const KEPT_AS = 'draft';
/** A page chooses none, or has a place of its own for it. */
const NOT_SHOWN = ['job_type', 'job_id', 'idempotency_key', 'input_data', 'model_id'];

/** The forms of all job types, by the schema of a submission. */
export function formsOf({ oneOf = [] }: JsonSchema): JobForm[] {
  return oneOf.map((schema) => {
    const fields = fieldsOf(schema);
    const first = ['model_id', 'input_data'].flatMap((name) => fields.find(({ path }) => path === name) ?? []);
    return {
      jobType: `${schema.properties?.job_type?.const}`,
      fields: [...first, ...fields.filter(({ path }) => !NOT_SHOWN.includes(path))],
    };
  });
}

export function freshDraft(forms: readonly JobForm[], model: string): Draft {
  const start = forms.find(({ jobType }) => jobType === 'general_llm_request') ?? forms[0];
  const draft = { jobType: '', values: { '': { model_id: model, stream: 'true' } } };
  return start ? withJobType(draft, start.jobType) : draft;
}

/** With another job type, whose input is as it was left; what any job may say of itself stays. */
export function withJobType({ jobType: before, values }: Draft, jobType: string): Draft {
  const envelope = Object.entries(values[before] ?? {}).filter(([path]) => !path.startsWith('input_data.'));
  const input = values[jobType] ?? EXAMPLES[jobType];
  return { jobType, values: { ...values, [jobType]: { ...input, ...Object.fromEntries(envelope) } } };
}

/** The submission that it is, as far as it can be read. */
export function drafted({ fields }: JobForm, { jobType, values, json }: Draft): { object: Json; wrong: FieldError[] } {
  if (json === undefined) {
    const { object, wrong } = objectFrom(fields, values[jobType] ?? {});
    return { object: { job_type: jobType, ...object }, wrong };
  }
  try {
    const object = parsed(json);
    if (isObject(object)) return { object, wrong: [] };
    throw new Error('must be an object');
  } catch (error) {
    return { object: {}, wrong: [{ path: '', message: (error as Error).message }] };
  }
}

/** A submission in its form, where the form has a field for all of it. */
export function withSubmission(
  forms: readonly JobForm[],
  { values }: Pick<Draft, 'values'>,
  { job_type, ...submission }: Json,
): { draft: Draft } | { wrong: string } {
  const form = forms.find(({ jobType }) => jobType === job_type);
  if (!form) return { wrong: `There is no form for the job_type ${JSON.stringify(job_type)}.` };
  const { values: own, unknown } = valuesFrom(form.fields, submission);
  if (unknown.length > 0) return { wrong: `The form has no field for ${unknown.join(', ')}.` };
  return { draft: { jobType: form.jobType, values: { ...values, [form.jobType]: own } } };
}

function keptDraft(forms: readonly JobForm[]): Draft | undefined {
  const draft = readKept(KEPT_AS) as Draft | undefined;
  return forms.some(({ jobType }) => jobType === draft?.jobType) ? draft : undefined;
}

export const keepDraft = (draft: Draft): void => keep(KEPT_AS, draft);

export function useDraft(forms: readonly JobForm[], fresh: () => Draft) {
  const [draft, setDraft] = useState(() => keptDraft(forms) ?? fresh());
  useEffect(() => keepDraft(draft), [draft]);
  return [draft, setDraft] as const;
}
