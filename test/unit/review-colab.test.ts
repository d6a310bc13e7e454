/** Notebooks as prompts: order, outputs, images, cuts; and what a broken one is told. */
import { describe, expect, test } from 'vitest';
import type { Json } from '../../shared/core/job.ts';
import { toFieldErrors } from '../../shared/http/field-errors.ts';
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

const promptOf = (input: Json) => reviewColab.toRequest(input, MODEL).messages.at(-1)?.content ?? '';
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
  expect(reviewColab.toResult('fine', { notebook } as Json)).toEqual({ success: true, result: 'fine' });
});

test('an over-long notebook is cut between cells, and both the prompt and the result say so', () => {
  const cells = Array.from({ length: 5 }, (_, index) => ({ cell_type: 'raw', source: `${index}`.repeat(50_000) }));
  const input = { notebook: { nbformat: 4, cells } } as Json;
  const prompt = promptOf(input);
  expect(prompt).toContain('1'.repeat(50_000));
  expect(prompt).not.toContain('## Cell 3');
  expect(prompt).toContain('its last 3 cells were left out');
  expect(reviewColab.toResult('r', input)).toEqual({
    success: true,
    result: 'r',
    warnings: ['The notebook is too long: its last 3 cells were left out.'],
  });
});

test("seed 000's system message and input are taken as they are", () => {
  const input = { system_message: 'You are a helpful assistant.', full_input: 'Analyze this' };
  expect(wrong(input)).toEqual([]);
  expect(reviewColab.toRequest(input, MODEL).messages).toEqual([
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
