/** The net under the whole suite: it finds what it must, and nothing else; what children write is caught by it. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { stdoutLog } from '../../shared/adapters/stdout-log.ts';
import { findLeaks, judge, plant, readKept } from '../support/canaries.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'llm-jobs-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const LINE = '{"severity":"INFO","message":"job-submitted","job_id":"0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11"}';

/** Put together here: this file may be quoted by what it looks for. */
const LEAKS = [
  plant('prompt'),
  ['llmj', '0a'.repeat(36)].join('_'),
  ['eyJhbGciOiJub25lIn0', 'eyJzdWIiOiJhIn0', ''].join('.'),
  ['sk', 'proj', '1234'].join('-'),
  ['AI', 'zaSyA-1234'].join(''),
  ['whsec', 'Zm9yIGEgd2ViaG9vaw=='].join('_'),
  ['access_token', 'abc.def'].join('='),
  ['Bearer', 'abcdefgh'].join(' '),
];

test.each(LEAKS.map((leak, index) => [index, leak]))('leak %i is found, with its file and its line', (_, leak) => {
  writeFileSync(join(folder, '7-stdout.log'), `${LINE}\n${LINE}\n{"error":"about ${leak} here"}\n`);
  const kept = readKept(folder);
  expect(kept.flatMap(({ file, content }) => findLeaks(file, content))).toMatchObject([
    { file: '7-stdout.log', line: 3, text: expect.stringContaining(`${leak}`) },
  ]);
  expect(judge(kept, true)).toEqual([expect.stringMatching(/^7-stdout\.log, line 3, holds /)]);
});

test.each([
  LINE,
  'a task-list for the desk-top, access_token=*** and Bearer *** and sk-',
  '{"job_id":"0b5a2f6e-6a53-4a3a-9a0e-3f1f8c0f7a11","error":"store_unavailable (Error 14)"}',
])('it finds nothing in %s', (line) => expect(findLeaks('f', line)).toEqual([]));

test('a run of which no line was kept is wrong, unless only a part of it was run', () => {
  expect(judge([{ file: 'f', content: LINE }], true)).toEqual([]);
  expect(judge([], true)).toEqual([expect.stringContaining('nothing was looked through')]);
  expect(judge([{ file: 'f', content: 'other words' }], true)).toHaveLength(1);
  expect(judge([], false)).toEqual([]);
});

test('whatever a process and its children write is kept, on both streams, in pieces of text and of bytes', () => {
  const preload = pathToFileURL(join(import.meta.dirname, '../support/keep-output.mjs')).href;
  const own = mkdtempSync(join(folder, 'kept-'));
  const grandchild = 'process.stderr.write(Buffer.from("from the grandchild"))';
  const child = `console.log('from the child'); console.error('as an error');
    require('node:child_process').spawnSync(process.execPath, ['-e', ${JSON.stringify(grandchild)}], { stdio: 'ignore' });`;
  const { stdout, status } = spawnSync(process.execPath, ['-e', child], {
    env: { ...process.env, KEPT_OUTPUT: own, NODE_OPTIONS: `--import ${preload}` },
    encoding: 'utf8',
  });
  expect([status, stdout]).toEqual([0, 'from the child\n']);
  const kept = readKept(own).map(({ content }) => content);
  expect(kept.sort()).toEqual(['as an error\n', 'from the child\n', 'from the grandchild']);
});

test('what the product logs in this very process is kept', () => {
  const job_id = crypto.randomUUID();
  stdoutLog({ format: 'json', level: 'debug' })('debug', 'claim-refused', { job_id });
  const kept = readKept(process.env.KEPT_OUTPUT ?? '').filter(({ content }) => content.includes(job_id));
  expect(kept.map(({ file }) => file)).toEqual([`${process.pid}-stdout.log`]);
});
