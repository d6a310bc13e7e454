/** The fields of a form, by the JSON Schema of what it makes. Pure. */
import { countOf, inWords } from '../words.ts';

export type JsonSchema = {
  type?: string | string[];
  const?: unknown;
  enum?: unknown[];
  description?: string;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  oneOf?: JsonSchema[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
};

/** `mixed`: JSON, or a text that is none. `words` and `pairs`: one a line. `json`: whatever has no better field. */
type FieldKind = 'text' | 'long' | 'number' | 'tick' | 'choice' | 'words' | 'pairs' | 'json' | 'mixed' | 'group';

export type Field = {
  /** As the API's errors name it: `input_data.reasoning.effort`. */
  path: string;
  label: string;
  kind: FieldKind;
  isRequired: boolean;
  help: string;
  /** Of a `choice`. */
  choices: unknown[];
  /** Of a `group`. */
  fields: Field[];
};

/** What a person writes more than a line of. */
const LONG = /(prompt|input|message|instructions|text)$/;

/** The fields of an object. */
export function fieldsOf({ properties = {}, required = [] }: JsonSchema, path = ''): Field[] {
  return Object.entries(properties).map(([name, schema]) => {
    const own = path ? `${path}.${name}` : name;
    const kind = kindOf(name, schema);
    return {
      ...{ path: own, kind, isRequired: required.includes(name), help: helpOf(schema, kind) },
      label: inWords(name).replace(/^(Llm|Ttl)\b/, (word) => word.toUpperCase()),
      choices: schema.enum ?? (schema.type === 'boolean' ? [true, false] : [schema.const]),
      fields: kind === 'group' ? fieldsOf(schema, own) : [],
    };
  });
}

function kindOf(name: string, schema: JsonSchema): FieldKind {
  const { type, description = '' } = schema;
  if (schema.enum || schema.const !== undefined) return 'choice';
  if (schema.anyOf) return schema.anyOf.some((one) => one.type === 'string') ? 'mixed' : 'json';
  // Where `false` says something, to leave it open is a third answer.
  if (type === 'boolean') return description.startsWith('`false`') ? 'choice' : 'tick';
  if (type === 'number' || type === 'integer') return 'number';
  if (type === 'string') return LONG.test(name) ? 'long' : 'text';
  if (type === 'array' && schema.items?.type === 'string') return 'words';
  if (type === 'object' && schema.properties) return 'group';
  const values = schema.additionalProperties;
  return typeof values === 'object' && values.type === 'string' ? 'pairs' : 'json';
}

const LINES: Partial<Record<FieldKind, string>> = {
  words: 'One a line.',
  pairs: 'One a line, as name: value.',
  json: 'JSON.',
};

function helpOf({ description = '', items, ...bounds }: JsonSchema, kind: FieldKind): string {
  const { minimum, exclusiveMinimum, maximum } = bounds;
  const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : ` to ${countOf(maximum)}`;
  const least = exclusiveMinimum === undefined ? minimum && countOf(minimum) : `above ${countOf(exclusiveMinimum)}`;
  const range = kind === 'number' && most ? `From ${least ?? 0}${most}.` : '';
  const named = items?.enum ? `Of: ${items.enum.join(', ')}.` : '';
  return [description.replaceAll('`', ''), range, LINES[kind], named].filter(Boolean).join(' ');
}

/** All fields that hold something themselves. */
export function leavesOf(fields: readonly Field[]): Field[] {
  return fields.flatMap((field) => (field.kind === 'group' ? leavesOf(field.fields) : [field]));
}
