/** Looks at a spec that a program registers: a typing error in it would make requests wrong much later. */
import { z } from 'zod';
import { invalidRequest } from '../../core/errors.ts';
import { CAPABILITIES, derivedSpecId, type ModelSpec, type NewModelSpec, PARAMETER_NAMES } from './model-spec.ts';

const words = z.string('must be text').trim().min(1, 'must not be empty');
const number = z.number('must be a number').optional();
const name = z.enum(PARAMETER_NAMES, `must be one of: ${PARAMETER_NAMES.join(', ')}`);

const parameter = z
  .discriminatedUnion(
    'type',
    [
      z.strictObject({
        name,
        type: z.enum(['float', 'int']),
        minValue: number,
        maxValue: number,
        defaultValue: number,
      }),
      z.strictObject({
        name,
        type: z.literal('enum'),
        allowedValues: z.array(words, 'must be an array of words').min(1, 'must have at least one value'),
        defaultValue: words.optional(),
      }),
    ],
    { error: (issue) => (issue.code === 'invalid_union' ? 'must be one of: float, int, enum' : undefined) },
  )
  .superRefine((spec, context) => {
    const isWord = spec.name === 'reasoning.effort' || spec.name === 'text.verbosity';
    const wrong = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if (isWord !== (spec.type === 'enum')) {
      wrong('type', isWord ? `must be enum: ${spec.name} is a word` : `must be float or int: ${spec.name} is a number`);
    }
    if (spec.type === 'enum') {
      const isTaken = spec.defaultValue === undefined || spec.allowedValues.includes(spec.defaultValue);
      if (!isTaken) wrong('defaultValue', `must be one of: ${spec.allowedValues.join(', ')}`);
      return;
    }
    const {
      minValue = -Infinity,
      maxValue = Infinity,
      defaultValue = Math.min(maxValue, Math.max(minValue, 0)),
    } = spec;
    if (minValue > maxValue) wrong('minValue', 'must not be above maxValue');
    else if (defaultValue < minValue || defaultValue > maxValue) wrong('defaultValue', 'must be within the range');
  });

const capability = z.boolean('must be true or false').optional();

const schema = z.strictObject({
  id: z.guid('must be a UUID').toLowerCase().optional(),
  modelName: words,
  displayName: words.optional(),
  provider: words,
  runsAs: words.optional(),
  capabilities: z.strictObject(
    Object.fromEntries(CAPABILITIES.map((each) => [each, capability])) as Record<
      (typeof CAPABILITIES)[number],
      typeof capability
    >,
    { error: (issue) => (issue.code === 'invalid_type' ? 'must be an object' : undefined) },
  ),
  parameters: z.array(parameter, 'must be an array').superRefine((parameters, context) => {
    for (const [index, each] of parameters.entries()) {
      if (parameters.findIndex((other) => other.name === each.name) === index) continue;
      context.addIssue({ code: 'custom', path: [index, 'name'], message: `${each.name} is there twice` });
    }
  }),
});

/**
 * The spec, whole: without an id it gets `knownId`, or the one that is derived from its names. Throws `invalid_request` that
 * names every wrong field under `path`, and an id that one of the others has.
 */
export function checkedSpec(
  given: NewModelSpec,
  path: string,
  knownId: string | undefined,
  others: readonly ModelSpec[],
): ModelSpec {
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    const details = parsed.error.issues.flatMap((issue) => {
      const at = [path, ...issue.path].join('.');
      if (issue.code !== 'unrecognized_keys') return [{ path: at, message: issue.message }];
      return issue.keys.map((key) => ({ path: `${at}.${key}`, message: 'is no field of a spec' }));
    });
    throw invalidRequest(details);
  }
  const spec = parsed.data;
  const id = spec.id ?? knownId ?? derivedSpecId(spec.provider, spec.modelName);
  const holder = others.find((other) => other.id === id);
  if (holder) throw invalidRequest([{ path: `${path}.id`, message: `is the id of ${holder.modelName} already` }]);
  return { ...spec, id, displayName: spec.displayName ?? spec.modelName };
}
