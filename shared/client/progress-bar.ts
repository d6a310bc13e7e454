/** Progress bars on a terminal. */

const WIDTH = 30;
/** What clears the line that the cursor is on. */
export const CLEAR = '\r\u001b[K';

/** A share, from 0 to 1, as a picture that is full at its end alone. */
export function bar(share: number): string {
  const full = Math.floor(share * WIDTH);
  return `[${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}]`;
}

/** So many columns a terminal has that does not say. */
const COLUMNS = 80;
/** Too narrow for a bar with anything beside it. */
const COLUMNS_LEAST = WIDTH + 20;

/** A bar with what is beside it, in one line of a terminal: one that is wrapped could not be drawn over. */
export function barLine(progress: number, beside: string, columns: number | undefined): string {
  const most = columns || COLUMNS;
  const picture = most < COLUMNS_LEAST ? '' : `${bar(progress / 100)} `;
  return [...`${picture}${progress} %  ${beside}`].slice(0, most - 1).join('');
}

/** How far something is, drawn anew each time at the foot of standard error; where that is no terminal, nothing. */
export function drawProgress(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`${CLEAR}${bar(all === 0 ? 1 : done / all)} ${done}/${all}${done === all ? '\n' : ''}`);
}

/** A whole line, in the place of the bar, which goes on below. */
export function printAbove(line: string): void {
  process.stderr.write(process.stderr.isTTY ? `${CLEAR}${line}` : line);
}
