/**
 * A Jupyter notebook (nbformat 4) as text for a model: the cells in order, code, prose and text outputs. Images are
 * named, not sent.
 *
 * @see https://nbformat.readthedocs.io/en/latest/format_description.html
 */
import { z } from 'zod';

const text = z.union([z.string(), z.array(z.string())]);

const output = z.looseObject({
  output_type: z.string(),
  /** Of a stream. */
  text: text.optional(),
  /** Of a result: by media type. */
  data: z.record(z.string(), z.unknown()).optional(),
  /** Of an error. */
  ename: z.string().optional(),
  evalue: z.string().optional(),
});

const cell = z.looseObject({
  cell_type: z.enum(['code', 'markdown', 'raw']),
  source: text,
  outputs: z.array(output).optional(),
});

/** The parts of a notebook that are read; whatever else it holds is let through. */
export const notebookSchema = z.looseObject({
  nbformat: z.literal(4, { error: 'must be 4: only notebooks of nbformat 4 are read' }),
  cells: z.array(cell).min(1, { error: 'must hold at least one cell' }),
});

export type Notebook = z.infer<typeof notebookSchema>;
type Cell = Notebook['cells'][number];
type Output = NonNullable<Cell['outputs']>[number];

export type RenderedNotebook = {
  text: string;
  /** How many cells were left out at the end. */
  cellsLeftOut: number;
  /** Is the last cell that is shown cut within itself? Only a first cell that is too long alone. */
  isCut: boolean;
};

/** The notebook as text of at most `charactersMost`, cut between cells where that leaves any. */
export function renderNotebook(notebook: Notebook, charactersMost: number): RenderedNotebook {
  const rendered: string[] = [];
  let characters = 0;
  for (const [index, each] of notebook.cells.entries()) {
    const next = renderCell(each, index + 1);
    characters += next.length;
    if (characters > charactersMost) break;
    rendered.push(next);
  }
  const [first] = notebook.cells;
  const isCut = rendered.length === 0 && first !== undefined;
  if (isCut) rendered.push(renderCell(first, 1).slice(0, charactersMost).toWellFormed());
  return { text: rendered.join('\n'), cellsLeftOut: notebook.cells.length - rendered.length, isCut };
}

/** The notebook without what is never sent on: images, which are most of a plotted notebook's size, keep their names. */
export function withoutImages(notebook: Notebook): Notebook {
  const slim = (data: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(data).map(([type, value]) => [type, type.startsWith('image/') ? '' : value]));
  const cells = notebook.cells.map((each) => ({
    ...each,
    ...(each.outputs
      ? { outputs: each.outputs.map((out) => (out.data ? { ...out, data: slim(out.data) } : out)) }
      : {}),
  }));
  return { ...notebook, cells };
}

function renderCell({ cell_type, source, outputs = [] }: Cell, number: number): string {
  const body = cell_type === 'code' ? `\`\`\`\n${join(source)}\n\`\`\`` : join(source);
  const shown = outputs.map(renderOutput).filter((line) => line !== '');
  const results = shown.length > 0 ? `\nOutput:\n${shown.join('\n')}` : '';
  return `## Cell ${number} (${cell_type})\n${body}${results}\n`;
}

/** The first of these that an output has is shown. */
const TEXT_TYPES = ['text/plain', 'text/markdown', 'text/html'];

function renderOutput({ text: stream, data, ename, evalue }: Output): string {
  if (stream !== undefined) return join(stream);
  if (ename !== undefined) return `${ename}: ${evalue ?? ''}`;
  const shown = TEXT_TYPES.map((type) => text.safeParse(data?.[type]).data).find((found) => found !== undefined);
  const images = Object.keys(data ?? {}).filter((type) => type.startsWith('image/'));
  return [
    ...(shown === undefined ? [] : [join(shown)]),
    ...images.map((type) => `[an image, ${type}, is not shown]`),
  ].join('\n');
}

function join(source: string | string[]): string {
  return Array.isArray(source) ? source.join('') : source;
}
