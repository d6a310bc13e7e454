/** What is wrong with a request on its model, before any call: the one place that decides between strict and lenient. */
import type { FieldError } from '../core/errors.ts';
import type { JobModel } from '../core/job.ts';
import { configOf, type LlmInput, pathOf } from './request.ts';
import { modelSpecs } from './specs/registry.ts';
import { validateConfig } from './specs/validate-config.ts';
import { checkSchema } from './structured/schema-rules.ts';

/**
 * Every field that cannot be used, by its path in the request. With `validation: "lenient"` what the model does not take
 * is left out of the call instead, with a warning in the answer.
 */
export async function checkLlmInput(
  input: LlmInput,
  { provider, model }: Pick<JobModel, 'provider' | 'model'>,
): Promise<FieldError[]> {
  const spec = input.validation === 'lenient' ? undefined : modelSpecs.find(provider, model);
  const misfits = spec ? validateConfig(spec, configOf(input)) : [];
  const schemas = [
    ...(input.response_schema === undefined ? [] : [{ at: 'response_schema', schema: input.response_schema }]),
    ...(input.tools ?? []).map((tool, index) => ({
      at: `tools.${index}.function.parameters`,
      schema: tool.function.parameters,
    })),
  ];
  const issues = await Promise.all(
    schemas.map(async ({ at, schema }) =>
      (await checkSchema(schema)).map(({ path, message }) => ({ path: path === '' ? at : `${at}.${path}`, message })),
    ),
  );
  return [...misfits.map(({ path, message }) => ({ path: pathOf(input, path), message })), ...issues.flat()];
}
