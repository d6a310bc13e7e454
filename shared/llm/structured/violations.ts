/** What Ajv and zod find, as sentences for people and for the model that is to mend its answer. */
import type { ErrorObject } from 'ajv';
import type { z } from 'zod';
import type { FieldError } from '../../core/errors.ts';
import { pathText } from './subschemas.ts';

const UNIONS = ['anyOf', 'oneOf'];
const UNION_SENTENCE = 'must fit one of the allowed forms';
const SHOWN_MOST = 5;
const PATH_LENGTH_MOST = 200;
const VALUES_SHOWN_MOST = 10;
const VALUES_LENGTH_MOST = 300;

/** Ajv's errors as field errors, one for each place, the first ones. */
export function toViolations(errors: readonly ErrorObject[]): FieldError[] {
  const unions = new Set(
    errors.filter(({ keyword }) => UNIONS.includes(keyword)).map(({ instancePath }) => instancePath),
  );
  return firstOfEach(errors, ({ instancePath, keyword, params, message }) => {
    const path = instancePath.split('/').slice(1).map(unescaped);
    const child = namedChild(params);
    const sentence = sentenceOf(keyword, params, message);
    if (child !== undefined) return { path: pathText([...path, child]), message: sentence };
    // The first form's complaint alone would send a model the wrong way.
    return { path: pathText(path), message: unions.has(instancePath) ? UNION_SENTENCE : sentence };
  });
}

/** zod's issues as field errors, one for each place, the first ones. */
export function issueViolations(issues: readonly z.core.$ZodIssue[]): FieldError[] {
  return firstOfEach(issues, ({ path, message }) => ({ path: pathText(path.map(String)), message }));
}

/** Field errors as one sentence: `age: must be a number; name: is required`. */
export function violationSentence(violations: readonly FieldError[]): string {
  return violations
    .map(({ path, message }) => (path === '' ? `the answer ${message}` : `${path}: ${message}`))
    .join('; ');
}

function firstOfEach<Found>(all: readonly Found[], toError: (found: Found) => FieldError): FieldError[] {
  const byPath = new Map<string, FieldError>();
  for (const found of all) {
    const { path, message } = toError(found);
    const short = path.length > PATH_LENGTH_MOST ? `${path.slice(0, PATH_LENGTH_MOST).toWellFormed()}…` : path;
    if (!byPath.has(short)) byPath.set(short, { path: short, message });
    if (byPath.size === SHOWN_MOST) break;
  }
  return [...byPath.values()];
}

function unescaped(part: string): string {
  return part.replaceAll('~1', '/').replaceAll('~0', '~');
}

/** The property that an error speaks of, where Ajv names it beside the path. */
function namedChild(params: ErrorObject['params']): string | undefined {
  return params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
}

function sentenceOf(keyword: string, params: ErrorObject['params'], message: string | undefined): string {
  switch (keyword) {
    case 'required':
      return 'is required';
    case 'additionalProperties':
    case 'unevaluatedProperties':
    case 'false schema':
      return 'is not allowed';
    case 'type':
      return `must be ${[params.type].flat().map(typeText).join(' or ')}`;
    case 'enum':
      return `must be one of ${valuesText(params.allowedValues)}`;
    case 'const':
      return `must be ${valuesText([params.allowedValue])}`;
    default:
      return (message ?? 'is not valid').replace('NOT', 'not');
  }
}

function typeText(type: string): string {
  if (type === 'null') return 'null';
  return /^[aeio]/.test(type) ? `an ${type}` : `a ${type}`;
}

function valuesText(values: readonly unknown[]): string {
  const text = values.slice(0, VALUES_SHOWN_MOST).map((value) => JSON.stringify(value));
  const all = `${text.join(', ')}${values.length > VALUES_SHOWN_MOST ? ', …' : ''}`;
  return all.length > VALUES_LENGTH_MOST ? `${all.slice(0, VALUES_LENGTH_MOST).toWellFormed()}…` : all;
}
