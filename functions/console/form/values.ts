/** What was typed into the fields of a form, and the JSON that it is. Pure. */
import type { FieldError } from '../../../shared/client/client.ts';
import { type Field, leavesOf } from './fields.ts';

/** Text by path; empty where nothing was filled in. */
export type Values = Readonly<Record<string, string>>;
export type Json = Record<string, unknown>;

/** The object that the fields make: what is empty is left out. `wrong` says what can't be read. */
export function objectFrom(fields: readonly Field[], values: Values): { object: Json; wrong: FieldError[] } {
  const wrong: FieldError[] = [];
  const entries = fields.flatMap((field): [string, unknown][] => {
    const name = field.path.split('.').at(-1) ?? '';
    if (field.kind === 'group') {
      const inner = objectFrom(field.fields, values);
      wrong.push(...inner.wrong);
      return field.isRequired || Object.keys(inner.object).length > 0 ? [[name, inner.object]] : [];
    }
    const text = values[field.path] ?? '';
    if (text === '') return [];
    try {
      const value = readText(field, text);
      return value === undefined ? [] : [[name, value]];
    } catch (error) {
      wrong.push({ path: field.path, message: (error as Error).message });
      return [];
    }
  });
  return { object: Object.fromEntries(entries), wrong };
}

/** The texts that make an object. `unknown` are the paths that the form has no field for. */
export function valuesFrom(fields: readonly Field[], object: Json): { values: Values; unknown: string[] } {
  const known = new Set(fields.map(({ path }) => path.split('.').at(-1)));
  const at = fields[0]?.path.split('.').slice(0, -1).join('.');
  const unknown = Object.keys(object)
    .filter((name) => !known.has(name))
    .map((name) => (at ? `${at}.${name}` : name));
  const values: Record<string, string> = {};
  for (const field of fields) {
    const value = object[field.path.split('.').at(-1) ?? ''];
    if (value === undefined) continue;
    if (field.kind !== 'group') values[field.path] = textOf(field, value);
    else if (isObject(value)) {
      const inner = valuesFrom(field.fields, value);
      Object.assign(values, inner.values);
      unknown.push(...inner.unknown);
    } else unknown.push(field.path);
  }
  return { values, unknown };
}

/** What a text means in a field; throws a sentence where it means nothing. */
function readText({ kind, choices }: Field, text: string): unknown {
  switch (kind) {
    case 'number': {
      const number = Number(text);
      if (text.trim() === '' || !Number.isFinite(number)) throw new Error('must be a number');
      return number;
    }
    case 'tick':
      return true;
    case 'choice':
      return choices.find((choice) => `${choice}` === text) ?? text;
    case 'json':
      return parsed(text);
    case 'mixed':
      return /^\s*[[{]/.test(text) ? attempt(() => parsed(text), text) : text;
    case 'words':
      if (/^\s*\[/.test(text)) return parsed(text);
      return nonEmpty(linesOf(text));
    case 'pairs':
      return /^\s*\{/.test(text) ? parsed(text) : pairsIn(text);
    default:
      return text;
  }
}

/** The text that means a value: as people write it, or else as JSON. */
function textOf(field: Field, value: unknown): string {
  const json = JSON.stringify(value, undefined, 2);
  const plain = () => {
    if (field.kind === 'tick') return value === true ? 'true' : '';
    if (typeof value === 'string' && field.kind !== 'json') return value;
    if (field.kind === 'words' && Array.isArray(value)) return value.join('\n');
    if (field.kind !== 'pairs' || !isObject(value)) return json;
    return Object.entries(value)
      .map(([name, text]) => `${name}: ${text}`)
      .join('\n');
  };
  if (field.kind !== 'words' && field.kind !== 'pairs') return plain();
  const again = attempt(() => readText(field, plain()), undefined);
  return JSON.stringify(again, undefined, 2) === json ? plain() : json;
}

function pairsIn(text: string): Json | undefined {
  const pairs = linesOf(text).map((line) => {
    const [, name, value] = /^([^:]+?)\s*:\s*(.*)$/.exec(line) ?? [];
    if (name === undefined) throw new Error(`must be name: value, one a line; not so: ${line}`);
    return [name, value] as const;
  });
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined;
}

const linesOf = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
const nonEmpty = (all: string[]) => (all.length > 0 ? all : undefined);

/** JSON, or a sentence on what is wrong with it. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`is not JSON: ${(error as Error).message}`);
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function attempt<T>(what: () => T, otherwise: T): T {
  try {
    return what();
  } catch {
    return otherwise;
  }
}

/** Which field each error stands beside; those that belong to none are the `rest`. */
export function placed(fields: readonly Field[], details: readonly FieldError[]) {
  const paths = leavesOf(fields).map(({ path }) => path);
  const beside: Record<string, string> = {};
  const rest: FieldError[] = [];
  for (const { path, message } of details) {
    const field = paths.find((each) => path === each || path.startsWith(`${each}.`) || path.startsWith(`${each}[`));
    if (field === undefined) {
      rest.push({ path, message });
      continue;
    }
    const said = `${path.slice(field.length).replace(/^\./, '')} ${message}`.trim();
    const before = beside[field];
    // The same may be said twice.
    if (!before?.includes(said)) beside[field] = before ? `${before}; ${said}` : said;
  }
  return { beside, rest };
}
