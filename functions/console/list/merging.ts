/**
 * What becomes of a list of jobs when its stream tells something, or an older page is there. Pure. The order is the server's:
 * times on the wire are whole seconds, so that a job that is known stays where it is, and a new one goes before its equals.
 */
import type { JobView } from '../../../shared/client/client.ts';

/** What a list keeps of a job: answers may be large. */
export type Row = Omit<JobView, 'result_data' | 'attempts' | 'rejected_text'>;

/** Rows that are drawn together; one that did not change is the same array as before. */
export type Block = readonly Row[];

export type Listed = {
  /** The newest first. */
  blocks: readonly Block[];
  /** How many at the top are not shown yet, so that nothing moves under whoever reads. */
  hidden: number;
  /** Where the next older page begins; absent at the end. */
  cursor: string | undefined;
  /** Something is missing between what is hidden and what is shown: the older page of what is hidden begins here. */
  gap: { cursor: string | undefined } | undefined;
};

export type Snapshot = { jobs: JobView[]; next_cursor?: string };
export type Changes = { jobs: JobView[]; gone: string[] };

/** How many of a list its stream follows, and how many an older page brings. */
export const LIVE_JOBS = 100;
const BLOCK_ROWS = 100;

export const EMPTY_LIST: Listed = { blocks: [], hidden: 0, cursor: undefined, gap: undefined };

function rowOf({ result_data, attempts, rejected_text, ...row }: JobView): Row {
  return row;
}

/** What a stream begins with, each time it is opened. With `isHolding` what is new stays hidden. */
export function withSnapshot(list: Listed, { jobs, next_cursor }: Snapshot, isHolding: boolean): Listed {
  const top = jobs.map(rowOf);
  const ids = new Set(top.map(({ job_id }) => job_id));
  const old = list.blocks.flat();
  const [newest, oldest] = [old[0], top.at(-1)];
  const isWhole = next_cursor === undefined || newest === undefined || oldest === undefined;
  const isJoined =
    old.some(({ job_id }) => ids.has(job_id)) || (newest && oldest && oldest.created_at < newest.created_at);
  if (isWhole || (!isJoined && !isHolding)) {
    const hidden = isHolding ? hiddenIn(top, old.slice(list.hidden)) : 0;
    return { blocks: cut(top), hidden, cursor: next_cursor, gap: undefined };
  }
  const shown = old.slice(list.hidden);
  if (!isJoined) {
    return { ...list, blocks: [...cut(top), ...shownBlocks(list)], hidden: top.length, gap: { cursor: next_cursor } };
  }
  // What is newer than the last of these, and not among them, is gone.
  const endsAt = old.findLastIndex(({ job_id }) => job_id === oldest.job_id);
  const isBelow = (row: Row, index: number) =>
    !ids.has(row.job_id) && (endsAt < 0 ? row.created_at <= oldest.created_at : index > endsAt);
  let index = 0;
  const below = list.blocks.map((block) => keepIf(block, (row) => isBelow(row, index++)));
  const blocks = folded([...cut(top), ...below]);
  return { ...list, blocks, hidden: isHolding ? hiddenIn(blocks.flat(), shown) : 0 };
}

/** What a stream tells later, or what was asked about some jobs. */
export function withChanges(list: Listed, { jobs, gone }: Changes, isHolding: boolean): Listed {
  let next = gone.length > 0 ? without(list, new Set(gone)) : list;
  // The newest last: it goes to the top.
  for (const view of jobs.toReversed()) next = withRow(next, rowOf(view), isHolding);
  return next;
}

/** A page that began at the list's cursor. */
export function withOlder(list: Listed, { jobs, next_cursor }: Snapshot): Listed {
  const known = new Set(list.blocks.flat().map(({ job_id }) => job_id));
  const rows = jobs.filter(({ job_id }) => !known.has(job_id)).map(rowOf);
  return { ...list, blocks: [...list.blocks, ...cut(rows)], cursor: next_cursor };
}

/** Shows what is hidden. */
export function released(list: Listed): Listed {
  if (!list.gap) return list.hidden === 0 ? list : { ...list, hidden: 0 };
  return { blocks: cut(list.blocks.flat().slice(0, list.hidden)), hidden: 0, cursor: list.gap.cursor, gap: undefined };
}

/** The jobs that are not over, and whose changes nobody tells of. */
export function unfollowed({ blocks }: Listed): Row[] {
  return blocks.flat().filter(({ is_complete }, index) => index >= LIVE_JOBS && !is_complete);
}

/** What is to be drawn: the blocks without what is hidden. */
export function shownBlocks({ blocks, hidden }: Listed): readonly Block[] {
  let left = hidden;
  return blocks.flatMap((block) => {
    const skipped = Math.min(left, block.length);
    left -= skipped;
    if (skipped === 0) return [block];
    return skipped === block.length ? [] : [block.slice(skipped)];
  });
}

function withRow(list: Listed, row: Row, isHolding: boolean): Listed {
  const { blocks } = list;
  let before = 0;
  for (const [n, block] of blocks.entries()) {
    const at = isWithin(block, row) ? block.findIndex(({ job_id }) => job_id === row.job_id) : -1;
    const known = block[at];
    if (known) return known.version > row.version ? list : { ...list, blocks: blocks.with(n, block.with(at, row)) };
  }
  for (const [n, block] of blocks.entries()) {
    const last = block.at(-1) as Row;
    if (row.created_at < last.created_at && n < blocks.length - 1) {
      before += block.length;
      continue;
    }
    const found = block.findIndex(({ created_at }) => created_at <= row.created_at);
    const at = found < 0 ? block.length : found;
    const isHidden = before + at < list.hidden || (isHolding && before + at === list.hidden);
    const grown = cut(block.toSpliced(at, 0, row));
    return { ...list, blocks: blocks.toSpliced(n, 1, ...grown), hidden: list.hidden + (isHidden ? 1 : 0) };
  }
  return { ...list, blocks: [[row]], hidden: 0 };
}

function without(list: Listed, ids: ReadonlySet<string>): Listed {
  let index = 0;
  let hidden = list.hidden;
  const blocks = list.blocks.map((block) =>
    keepIf(block, ({ job_id }) => {
      const isKept = !ids.has(job_id);
      if (!isKept && index < list.hidden) hidden -= 1;
      index += 1;
      return isKept;
    }),
  );
  return { ...list, blocks: blocks.filter(({ length }) => length > 0), hidden };
}

/** May a row stand in a block, by its time? */
function isWithin(block: Block, { created_at }: Row): boolean {
  const [first, last] = [block[0], block.at(-1)];
  return first !== undefined && last !== undefined && created_at <= first.created_at && created_at >= last.created_at;
}

/** How many stand before the first that was shown before. */
function hiddenIn(rows: readonly Row[], shown: readonly Row[]): number {
  const ids = new Set(shown.map(({ job_id }) => job_id));
  return Math.max(
    0,
    rows.findIndex(({ job_id }) => ids.has(job_id)),
  );
}

/** The same array where nothing goes. */
function keepIf(block: Block, isKept: (row: Row) => boolean): Block {
  const kept = block.filter(isKept);
  return kept.length === block.length ? block : kept;
}

/** Blocks of these rows; the first may have more, so that a new row does not cut it at once. */
function cut(rows: readonly Row[]): Block[] {
  const all: Block[] = [];
  let end = rows.length;
  for (; end >= 2 * BLOCK_ROWS; end -= BLOCK_ROWS) all.unshift(rows.slice(end - BLOCK_ROWS, end));
  return end === 0 ? all : [rows.slice(0, end), ...all];
}

/** Small neighbours become one. */
function folded(blocks: readonly Block[]): Block[] {
  const all: Block[] = [];
  for (const block of blocks) {
    if (block.length === 0) continue;
    const last = all.at(-1);
    if (last && last.length + block.length <= BLOCK_ROWS) all[all.length - 1] = [...last, ...block];
    else all.push(block);
  }
  return all;
}
