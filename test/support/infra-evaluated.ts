/** What Terraform makes of its own expressions, by `terraform console`, which wants no provider: resources are given names. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { type Block, type Infra, resources } from './infra-terraform.ts';

const INFRA = join(import.meta.dirname, '../../infra');
const FILES = readdirSync(INFRA).filter((name) => /^variables.*\.tf$|\.json$/.test(name));

/** Stands for what a provider would say. */
const MADE: [RegExp, string][] = [
  [/\bdata\.google_project\.this\.number\b/g, '"123"'],
  [
    /\bgoogle_service_account\.this\b(?! *\[)/g,
    `{ for n in local.accounts : n => { email = "\${n}@made" } if !contains(keys(var.service_accounts), n) }`,
  ],
  [/\bgoogle_\w+\.(\w+)\["([^"]+)"\](\.service_config\[0\])?\.(\w+)/g, '"$1 $2 $4"'],
  [/\bgoogle_\w+\.(\w+)\[(each\.\w+(?:\.\w+)?)\](\.service_config\[0\])?\.(\w+)/g, `"$1 \${$2} $4"`],
  [/\bgoogle_\w+\.(\w+)(\[0\])?\.(\w+)/g, '"$1 $3"'],
];
const madeUp = (text: string) => MADE.reduce((made, [pattern, name]) => made.replace(pattern, name), text);

/** An attribute's value as hcl2json has it, as an expression again: the quotes of a template's own text are escaped. */
function expression(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value);
  const parts: string[] = [];
  for (let at = 0; at < value.length; ) {
    const opens = value.indexOf('${', at);
    const textEnd = opens < 0 ? value.length : opens;
    if (textEnd > at) parts.push(JSON.stringify(value.slice(at, textEnd)).slice(1, -1));
    if (opens < 0) break;
    at = endOf(value, opens + 1);
    parts.push(value.slice(opens, at));
  }
  const [only = ''] = parts;
  return parts.length === 1 && only.startsWith('${') ? `(${only.slice(2, -1)})` : `"${parts.join('')}"`;
}

/** Where the bracket that opens there is closed again. */
function endOf(text: string, opens: number): number {
  let depth = 0;
  for (let at = opens; at < text.length; at += 1) {
    depth += text[at] === '{' ? 1 : text[at] === '}' ? -1 : 0;
    if (depth === 0) return at + 1;
  }
  return text.length;
}

/** Of each instance of a resource the attributes that are asked for, by its key; an attribute of an inner block is `block.name`. */
export function instancesOf(infra: Infra, type: string, name: string, attributes: readonly string[]): string {
  const block = resources(infra, type)[name] ?? {};
  const found = (path: string) =>
    path.split('.').reduce<unknown>((at, key) => {
      const value = (at as Block)?.[key];
      return Array.isArray(value) && typeof value[0] === 'object' ? value[0] : value;
    }, block);
  const pairs = attributes.map((path) => `${JSON.stringify(path)} = ${expression(found(path))}`).join(', ');
  const one = `{ ${pairs} }`.replace(/\beach\.key\b/g, 'k').replace(/\beach\.value\b/g, 'v');
  const each = expression(block.for_each);
  return madeUp(
    `{ for k, v in ${each} : k => ${one} }`.replace(/\bgoogle_\w+\.(\w+)\[([kv][\w.]*)\]/g, 'google_x.$1[each.$2]'),
  ).replace(/\beach\.([kv])\b/g, '$1');
}

/** Evaluates expressions, by name, with these variables. */
export function evaluated<T>(infra: Infra, expressions: Record<string, string>, variables: object = {}): T {
  const folder = mkdtempSync(join(tmpdir(), 'infra-'));
  try {
    for (const file of FILES) copyFileSync(join(INFRA, file), join(folder, file));
    const locals = localsIn(infra, [...Object.values(expressions), JSON.stringify(infra.terraform.variable)].join(' '));
    writeFileSync(join(folder, 'locals.tf.json'), JSON.stringify({ locals }));
    writeFileSync(join(folder, 'terraform.tfvars.json'), JSON.stringify({ project: 'p-1', ...variables }));
    const all = Object.entries(expressions).map(([name, text]) => `${JSON.stringify(name)} = ${text}`);
    const input = `jsonencode({ ${all.join(', ')} })`.replace(/\s*\n\s*/g, ' ');
    const { stdout, stderr } = spawnSync('terraform', ['console'], { cwd: folder, input, encoding: 'utf8' });
    const answer = stdout.split('\n').find((line) => line.startsWith('"'));
    // What a variable may not be is said beside the answer.
    const wrong = plain(stderr).split('Error: ').slice(1);
    if (!answer || wrong.length > 0) throw new Error(wrong.join('\n') || plain(stdout));
    return JSON.parse(JSON.parse(answer.replaceAll('$${', '${')));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Without colours, frames, and line breaks. */
const plain = (text: string) => stripVTControlCharacters(text).replace(/[\s│╷╵]+/g, ' ');

/** Those that are named there, and in one another. */
function localsIn({ terraform }: Infra, text: string): Block {
  const wanted = new Set<string>();
  const look = (at: string) => {
    for (const [, name = ''] of at.matchAll(/\blocal\.(\w+)/g)) {
      if (wanted.has(name)) continue;
      wanted.add(name);
      look(madeUp(JSON.stringify(terraform.locals[name] ?? '')));
    }
  };
  look(text);
  return Object.fromEntries([...wanted].map((name) => [name, madeUpIn(terraform.locals[name])]));
}

function madeUpIn(value: unknown): unknown {
  if (typeof value === 'string') return madeUp(value);
  if (Array.isArray(value)) return value.map(madeUpIn);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, madeUpIn(inner)]));
}
