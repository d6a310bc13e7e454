/** `review_colab`: reviews a Google Colab notebook, given whole, or as text under a system message. */
import { z } from 'zod';
import { conversation, fields, text } from './fields.ts';
import { ATTEMPT_TIMEOUT_MS, IDLE_TIMEOUT_MS, type JobTypeDefinition, textResult } from './job-type.ts';
import { type Notebook, notebookSchema, renderNotebook } from './notebook.ts';

/** About 30,000 tokens: what the smaller models of the catalog can read with room for an answer. */
const NOTEBOOK_CHARACTERS_MOST = 120_000;

const REVIEWER =
  'You review Jupyter notebooks. Say what the notebook does, which mistakes it has (in code, in method, in what it claims), and how to mend each. Name cells by their number.';

const inputSchema = fields({
  notebook: z
    .union([z.string(), z.looseObject({})], { error: 'must be a notebook: an object, or its JSON as a string' })
    .optional(),
  instructions: text.optional(),
  system_message: text.optional(),
  full_input: text.optional(),
}).superRefine((input, context) => {
  const fail = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
  if ((input.notebook === undefined) === (input.full_input === undefined)) {
    fail(['notebook'], 'is required: give either notebook or full_input, not both');
  }
  if (input.notebook === undefined && input.instructions !== undefined)
    fail(['instructions'], 'goes with notebook only');
  if (input.full_input === undefined && input.system_message !== undefined) {
    fail(['system_message'], 'goes with full_input only; with notebook use instructions');
  }
  if (input.notebook !== undefined) {
    const read = readNotebook(input.notebook);
    for (const issue of read.error?.issues ?? [])
      context.addIssue({ ...issue, path: ['notebook', ...issue.path] } as never);
  }
});

type Input = z.infer<typeof inputSchema>;

export const reviewColab: JobTypeDefinition = {
  name: 'review_colab',
  inputSchema,
  attemptTimeoutMs: ATTEMPT_TIMEOUT_MS,
  idleTimeoutMs: IDLE_TIMEOUT_MS,

  toRequest(input, { model }) {
    const { system_message, full_input, instructions } = input as Input;
    if (full_input !== undefined) return { model, messages: conversation(system_message, full_input) };
    const { text: cells, cellsLeftOut } = render(input as Input);
    const note = cellsLeftOut > 0 ? `\n(${leftOut(cellsLeftOut)})\n` : '';
    const asked = instructions === undefined ? '' : `\n${instructions}\n`;
    return { model, messages: conversation(REVIEWER, `${cells}${note}${asked}`) };
  },

  toResult(answer, input) {
    const { cellsLeftOut } = (input as Input).notebook === undefined ? { cellsLeftOut: 0 } : render(input as Input);
    return cellsLeftOut === 0 ? textResult(answer) : { ...textResult(answer), warnings: [leftOut(cellsLeftOut)] };
  },
};

function render({ notebook }: Input): ReturnType<typeof renderNotebook> {
  return renderNotebook(readNotebook(notebook).data as Notebook, NOTEBOOK_CHARACTERS_MOST);
}

function leftOut(cells: number): string {
  return `The notebook is too long: its last ${cells} ${cells === 1 ? 'cell was' : 'cells were'} left out.`;
}

function readNotebook(notebook: unknown) {
  return notebookSchema.safeParse(typeof notebook === 'string' ? parseJson(notebook) : notebook);
}

function parseJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
