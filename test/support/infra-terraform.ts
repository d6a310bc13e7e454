/** What Terraform is told, as data: all `infra/*.tf` in one, and the JSON that they read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@cdktf/hcl2json';

const INFRA = join(import.meta.dirname, '../../infra');

export type Block = Record<string, unknown>;
export type Kinds = Record<string, Record<string, Block[]>>;
export type Terraform = {
  resource: Kinds;
  data: Kinds;
  variable: Record<string, Block[]>;
  output: Record<string, Block[]>;
  locals: Block;
};
export type SettingSource = {
  functions?: string[];
  from?: 'resource' | 'setting' | 'secret';
  resource?: string;
  default?: string;
  not?: string;
  why?: string;
};
export type FunctionFacts = {
  target: string;
  caller: 'public' | 'push' | 'scheduler';
  when: 'always' | 'whole' | 'split' | 'console';
  memory: string;
  cpu: string;
  concurrency: number;
  timeout: number;
  why: Record<string, string>;
};
export type Grant = { role: string; on: string; why: string };
export type Infra = {
  terraform: Terraform;
  environment: Record<string, SettingSource>;
  functions: Record<string, FunctionFacts>;
  roles: Record<string, Grant[]>;
  readme: string;
};

const read = (file: string) => readFileSync(join(INFRA, file), 'utf8');

/** Reads it anew: whoever asked may break it. */
export async function readInfra(): Promise<Infra> {
  const terraform: Terraform = { resource: {}, data: {}, variable: {}, output: {}, locals: {} };
  for (const file of readdirSync(INFRA).filter((name) => name.endsWith('.tf') && !name.endsWith('_override.tf'))) {
    const parsed = await parse(file, read(file));
    for (const kind of ['resource', 'data'] as const) {
      for (const [type, named] of Object.entries<Record<string, Block[]>>(parsed[kind] ?? {})) {
        terraform[kind][type] = { ...terraform[kind][type], ...named };
      }
    }
    Object.assign(terraform.variable, parsed.variable);
    Object.assign(terraform.output, parsed.output);
    for (const locals of parsed.locals ?? []) Object.assign(terraform.locals, locals);
  }
  const [environment, functions, roles] = ['environment', 'functions', 'roles'].map((name) =>
    JSON.parse(read(`${name}.json`)),
  );
  return { terraform, environment, functions, roles, readme: read('README.md') };
}

/** The resources of a type by name. */
export function resources({ terraform }: Infra, type: string): Record<string, Block> {
  return Object.fromEntries(
    Object.entries(terraform.resource[type] ?? {}).map(([name, [block = {}]]) => [name, block]),
  );
}

/** A block inside of a block. */
export function inner(block: Block | undefined, name: string): Block {
  return (block?.[name] as Block[] | undefined)?.[0] ?? {};
}
