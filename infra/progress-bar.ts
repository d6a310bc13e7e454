/** A progress bar at the foot of a terminal; where standard error is none, nothing. */

const WIDTH = 30;
const CLEAR = '\r\u001b[K';

/** How far something is, drawn anew each time. */
export function drawProgress(done: number, all: number): void {
  if (!process.stderr.isTTY) return;
  const full = all === 0 ? WIDTH : Math.floor((done / all) * WIDTH);
  const bar = `[${'█'.repeat(full)}${'░'.repeat(WIDTH - full)}] ${done}/${all}`;
  process.stderr.write(`${CLEAR}${bar}${done === all ? '\n' : ''}`);
}

/** A whole line, in the place of the bar, which goes on below. */
export function printAbove(line: string): void {
  process.stderr.write(process.stderr.isTTY ? `${CLEAR}${line}` : line);
}
