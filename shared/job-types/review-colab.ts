/** `review_colab`: reviews a Google Colab notebook, given whole, or as text under a system message. */
import { z } from 'zod';
import { findTooMany, VALUES_MOST } from '../core/field-errors.ts';
import { DEFAULT_LIMITS } from '../core/limits.ts';
import { DEFAULT_RETENTION_MS } from '../core/retention.ts';
import { DEFAULT_RETRY } from '../core/retry.ts';
import { conversation, fields, text } from './fields.ts';
import { type JobTypeDefinition, textResult } from './job-type.ts';
import { type Notebook, notebookSchema, renderNotebook, withoutImages } from './notebook.ts';

/** About 30,000 tokens: what the smaller models of the catalog can read with room for an answer. */
const NOTEBOOK_CHARACTERS_MOST = 120_000;

const REVIEWER =
  'You review Jupyter notebooks. Say what the notebook does, which mistakes it has (in code, in method, in what it claims), and how to mend each. Name cells by their number.';

export const reviewColabInput = fields({
  notebook: z
    .union([z.string(), z.looseObject({})], { error: 'must be a notebook: an object, or its JSON as a string' })
    .optional(),
  instructions: text.optional(),
  system_message: text.optional(),
  full_input: text.optional(),
})
  .superRefine((input, context) => {
    const fail = (path: PropertyKey[], message: string) => context.addIssue({ code: 'custom', path, message });
    if ((input.notebook === undefined) === (input.full_input === undefined)) {
      fail(['notebook'], 'is required: give either notebook or full_input, not both');
    }
    if (input.notebook === undefined && input.instructions !== undefined)
      fail(['instructions'], 'goes with notebook only');
    if (input.full_input === undefined && input.system_message !== undefined) {
      fail(['system_message'], 'goes with full_input only; with notebook use instructions');
    }
    if (input.notebook === undefined) return;
    if (typeof input.notebook === 'string' && findTooMany(input.notebook)) {
      return fail(['notebook'], `must hold at most ${VALUES_MOST} values`);
    }
    const content = contentOf(input.notebook);
    if (content === undefined) return fail(['notebook'], 'is not JSON; it must be a notebook, an object or its JSON');
    for (const issue of notebookSchema.safeParse(content).error?.issues ?? []) {
      context.addIssue({ ...issue, path: ['notebook', ...issue.path] } as never);
    }
  })
  .transform((input) =>
    input.notebook === undefined ? input : { ...input, notebook: withoutImages(contentOf(input.notebook) as Notebook) },
  );

type Input = z.infer<typeof reviewColabInput>;

export const reviewColab: JobTypeDefinition = {
  name: 'review_colab',
  inputSchema: reviewColabInput,
  limits: DEFAULT_LIMITS,
  retry: DEFAULT_RETRY,
  retentionMs: DEFAULT_RETENTION_MS,

  toRequest(input, { model }) {
    const { system_message, full_input, instructions, notebook } = input as Input;
    if (notebook === undefined) return { model, messages: conversation(system_message, full_input ?? '') };
    const { text: cells, note } = render(notebook);
    const asked = instructions === undefined ? '' : `\n${instructions}\n`;
    return { model, messages: conversation(REVIEWER, `${cells}${note ? `\n(${note})\n` : ''}${asked}`) };
  },

  toResult(answer, input) {
    const { notebook } = input as Input;
    const note = notebook && render(notebook).note;
    const { result } = textResult(answer);
    return { result: note ? { ...result, warnings: [note] } : result };
  },
};

/** The cells as text, and what was left out of them, if anything was. */
function render(notebook: Input['notebook']): { text: string; note: string | undefined } {
  const { text: cells, cellsLeftOut, isCut } = renderNotebook(notebook as Notebook, NOTEBOOK_CHARACTERS_MOST);
  const left = cellsLeftOut === 1 ? 'cell was' : 'cells were';
  const parts = [
    ...(isCut ? ['the end of its first cell was cut off'] : []),
    ...(cellsLeftOut > 0 ? [`its last ${cellsLeftOut} ${left} left out`] : []),
  ];
  return { text: cells, note: parts.length > 0 ? `The notebook is too long: ${parts.join(', and ')}.` : undefined };
}

/** What a notebook field holds; `undefined` for text that is not JSON. Editors may put a byte order mark before it. */
function contentOf(notebook: string | object): unknown {
  if (typeof notebook !== 'string') return notebook;
  try {
    return JSON.parse(notebook.replace(/^\ufeff/, ''));
  } catch {
    return undefined;
  }
}
