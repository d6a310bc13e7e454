/** Notebooks as prompts: order, outputs, images, cuts; and what a broken one is told. */

import { describe, expect, test } from 'vitest';
import { toFieldErrors } from '../../shared/core/field-errors.ts';
import type { Json } from '../../shared/core/job.ts';
import type { Answer } from '../../shared/core/llm.ts';
import { reviewColab } from '../../shared/job-types/review-colab.ts';

const MODEL = { id: '', name: '', provider: '', model: 'm' };

const NOTEBOOK = {
  nbformat: 4,
  nbformat_minor: 0,
  metadata: { colab: { name: 'x.ipynb' } },
  cells: [
    { cell_type: 'markdown', metadata: {}, source: ['# Title\n', 'prose'] },
    {
      cell_type: 'code',
      execution_count: 1,
      source: 'print(1)\nplot()',
      outputs: [
        { output_type: 'stream', name: 'stdout', text: ['1\n'] },
        { output_type: 'display_data', data: { 'text/plain': ['<Figure>'], 'image/png': 'iVBORw0KGgo=' } },
        { output_type: 'error', ename: 'NameError', evalue: 'plot', traceback: ['long'] },
      ],
    },
    { cell_type: 'code', source: [], outputs: [] },
  ],
};

const parsed = (input: Json) => reviewColab.inputSchema.parse(input) as Json;
const answerOf = (text: string): Answer => ({
  ...{ text, finishReason: 'stop', toolCalls: [], fileSearchResults: [], warnings: [] },
});
const promptOf = (input: Json) => reviewColab.toRequest(parsed(input), MODEL).messages.at(-1)?.content ?? '';
const wrong = (input: unknown) => toFieldErrors(reviewColab.inputSchema.safeParse(input).error?.issues ?? []);

test.each([
  ['an object', NOTEBOOK],
  ['its JSON', JSON.stringify(NOTEBOOK)],
])('a notebook as %s becomes its cells in order, with their text outputs', (_, notebook) => {
  expect(wrong({ notebook })).toEqual([]);
  expect(promptOf({ notebook, instructions: 'Be kind.' } as Json)).toBe(
    [
      '## Cell 1 (markdown)\n# Title\nprose\n',
      '## Cell 2 (code)\n```\nprint(1)\nplot()\n```\nOutput:\n1\n\n<Figure>\n[an image, image/png, is not shown]\nNameError: plot\n',
      '## Cell 3 (code)\n```\n\n```\n',
      'Be kind.\n',
    ].join('\n'),
  );
  expect(promptOf({ notebook } as Json)).not.toContain('iVBOR');
  expect(reviewColab.toResult(answerOf('fine'), parsed({ notebook } as Json))).toEqual({
    result: { success: true, result: 'fine' },
  });
});

test('an over-long notebook is cut between cells, and both the prompt and the result say so', () => {
  const cells = Array.from({ length: 5 }, (_, index) => ({ cell_type: 'raw', source: `${index}`.repeat(50_000) }));
  const input = { notebook: { nbformat: 4, cells } } as Json;
  const prompt = promptOf(input);
  expect(prompt).toContain('1'.repeat(50_000));
  expect(prompt).not.toContain('## Cell 3');
  expect(prompt).toContain('its last 3 cells were left out');
  expect(reviewColab.toResult(answerOf('r'), parsed(input))).toEqual({
    result: {
      success: true,
      result: 'r',
      warnings: ['The notebook is too long: its last 3 cells were left out.'],
    },
  });
});

test('a first cell that is too long alone is cut within itself, and the model still sees it', () => {
  const cells = [
    { cell_type: 'code', source: 'train()', outputs: [{ output_type: 'stream', text: 'loss\n'.repeat(50_000) }] },
    { cell_type: 'markdown', source: 'end' },
  ];
  const prompt = promptOf({ notebook: { nbformat: 4, cells } } as Json);
  expect(prompt).toContain('train()');
  expect(prompt).toContain('the end of its first cell was cut off, and its last 1 cell was left out');
});

test('images are dropped before the input is measured or stored, and keep their names', () => {
  const data = { 'image/png': 'x'.repeat(400_000) };
  const cells = [{ cell_type: 'code', source: 'plot()', outputs: [{ output_type: 'display_data', data }] }];
  const input = parsed({ notebook: { nbformat: 4, cells } } as Json);
  expect(JSON.stringify(input).length).toBeLessThan(500);
  expect(promptOf(input)).toContain('[an image, image/png, is not shown]');
});

test('an output without plain text shows its markdown or HTML', () => {
  const outputs = [{ output_type: 'display_data', data: { 'text/html': ['<b>42</b>'] } }];
  expect(
    promptOf({ notebook: { nbformat: 4, cells: [{ cell_type: 'code', source: 'x', outputs }] } } as Json),
  ).toContain('<b>42</b>');
});

test("seed 000's system message and input are taken as they are", () => {
  const input = { system_message: 'You are a helpful assistant.', full_input: 'Analyze this' };
  expect(wrong(input)).toEqual([]);
  expect(reviewColab.toRequest(parsed(input), MODEL).messages).toEqual([
    { role: 'system', content: 'You are a helpful assistant.' },
    { role: 'user', content: 'Analyze this' },
  ]);
});

describe('what is wrong is named by its path', () => {
  test.each<[string, unknown, string[]]>([
    ['nothing given', {}, ['notebook']],
    ['both given', { notebook: NOTEBOOK, full_input: 'x' }, ['notebook']],
    ['not a notebook', { notebook: 4 }, ['notebook']],
    ['not JSON', { notebook: '{' }, ['notebook']],
    ['JSON of millions of values', { notebook: `[${'[],'.repeat(1_000_000)}0]` }, ['notebook']],
    ['JSON of something else', { notebook: '[]' }, ['notebook']],
    ['an older format', { notebook: { nbformat: 3, worksheets: [] } }, ['notebook.nbformat', 'notebook.cells']],
    ['no cells', { notebook: { nbformat: 4, cells: [] } }, ['notebook.cells']],
    [
      'broken cells',
      {
        notebook: {
          nbformat: 4,
          cells: [
            { cell_type: 'code', source: 'x' },
            { cell_type: 'magic', source: 1 },
          ],
        },
      },
      ['notebook.cells.1.cell_type', 'notebook.cells.1.source'],
    ],
    ['a system message with a notebook', { notebook: NOTEBOOK, system_message: 'x' }, ['system_message']],
    ['instructions without a notebook', { full_input: 'x', instructions: 'y' }, ['instructions']],
    ['an unknown field', { full_input: 'x', note: 'y' }, ['note']],
  ])('%s', (_, input, paths) => {
    expect(wrong(input).map((error) => error.path)).toEqual(paths);
    for (const error of wrong(input)) expect(error.message.length).toBeGreaterThan(5);
  });
});
