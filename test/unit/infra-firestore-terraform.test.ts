/** `infra/firestore.tf`: everything in `infra/firestore.json` is made, and the database can be restored and is hard to lose. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from '@cdktf/hcl2json';
import { expect, test } from 'vitest';

const PATH = join(import.meta.dirname, '../../infra/firestore.tf');
const text = readFileSync(PATH, 'utf8');

type Block = Record<string, unknown>;
type Parsed = { locals: Block[]; resource: Record<string, Record<string, Block[]>> };

/** What is wrong with the file. */
async function findings(source: string): Promise<string[]> {
  const { locals, resource } = (await parse('firestore.tf', source)) as Parsed;
  const of = (type: string, name: string) => resource[type]?.[name]?.[0] ?? {};
  const fields = of('google_firestore_field', 'this');
  const database = of('google_firestore_database', 'this');
  const backups = of('google_firestore_backup_schedule', 'daily');
  const made = ref('var.create_database ? 1 : 0');
  const wanted: [what: string, is: unknown, wanted: unknown][] = [
    ['what is read', locals[0]?.firestore, ref(`jsondecode(file("${ref('path.module')}/firestore.json"))`)],
    ['indexes', of('google_firestore_index', 'this').for_each, ref('local.firestore_indexes')],
    ['fields', fields.for_each, ref('local.firestore_fields')],
    ['exemptions', (fields.index_config as Block[] | undefined)?.length, 1],
    ['TTL', Object.keys((fields.dynamic as Block | undefined) ?? {}), ['ttl_config']],
    ['database', database.count, made],
    ['type', database.type, 'FIRESTORE_NATIVE'],
    ['key', Object.keys((database.dynamic as Block | undefined) ?? {}), ['cmek_config']],
    ['point in time recovery', database.point_in_time_recovery_enablement, 'POINT_IN_TIME_RECOVERY_ENABLED'],
    ['delete protection', database.delete_protection_state, 'DELETE_PROTECTION_ENABLED'],
    ['deletion policy', database.deletion_policy, 'ABANDON'],
    ['backups', [backups.count, backups.retention, backups.daily_recurrence], [made, '604800s', [{}]]],
  ];
  return wanted.filter(([, is, should]) => JSON.stringify(is) !== JSON.stringify(should)).map(([what]) => what);
}

function ref(expression: string): string {
  return `\${${expression}}`;
}

test('makes what the file says, with backups, point in time recovery and protection', async () => {
  expect(await findings(text)).toEqual([]);
});

test.each([
  ['what is read', 'firestore.json"', 'other.json"'],
  ['indexes', 'for_each = local.firestore_indexes', 'for_each = {}'],
  ['fields', 'for_each = local.firestore_fields', 'for_each = {}'],
  ['exemptions', '  index_config {', '  dynamic "index_config" {\n    for_each = []'],
  ['TTL', 'dynamic "ttl_config"', 'dynamic "other"'],
  ['key', 'dynamic "cmek_config"', 'dynamic "other"'],
  ['point in time recovery', '"POINT_IN_TIME_RECOVERY_ENABLED"', '"POINT_IN_TIME_RECOVERY_DISABLED"'],
  ['delete protection', '"DELETE_PROTECTION_ENABLED"', '"DELETE_PROTECTION_DISABLED"'],
  ['deletion policy', '"ABANDON"', '"DELETE"'],
  ['backups', '"604800s"', '"0s"'],
])('without %s it is found', async (what, from, to) => {
  expect(text.split(from)).toHaveLength(2);
  const found = await findings(text.replace(from, to));
  expect(found).toContain(what);
});
