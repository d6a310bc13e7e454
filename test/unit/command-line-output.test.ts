/** What `npx llm-jobs` writes where: to terminals of any width, and to what is none. */
import { describe, expect, test } from 'vitest';
import { outputTo, type Printer } from '../../shared/client/command-line-output.ts';
import { bar, barLine, CLEAR } from '../../shared/client/progress-bar.ts';

type Kept = Printer & { written: string };

function printer(terminal: Partial<Printer> = {}): Kept {
  return {
    written: '',
    ...terminal,
    write(text, done) {
      this.written += text;
      done?.();
    },
  };
}

const TERMINAL = { isTTY: true };

describe('the bar', () => {
  test.each([
    [20, 19],
    [0, 79],
    [undefined, 79],
  ])('is a line also where a terminal has %s columns', (columns, most) => {
    const stderr = printer({ ...TERMINAL, ...(columns !== undefined && { columns }) });
    outputTo(printer(TERMINAL), stderr, false).draw({ progress: 50, message: `Two\nlines, ${'😀'.repeat(99)}` });
    const drawn = stderr.written.slice(CLEAR.length);
    expect([...drawn]).toHaveLength(most);
    expect(drawn).not.toContain('\n');
  });

  test.each([
    ['a terminal alone', TERMINAL, TERMINAL, false, true],
    ['JSON in the same terminal', TERMINAL, TERMINAL, true, false],
    ['JSON in a pipe', {}, TERMINAL, true, true],
    ['nobody who looks', TERMINAL, {}, false, false],
  ])('with %s it is drawn: or not', (_, stdout, stderr, isJson, isDrawn) => {
    const seen = printer(stderr);
    const output = outputTo(printer(stdout), seen, isJson);
    output.draw({ progress: 50, message: 'Half' });
    output.endBar('remove');
    expect([output.isDrawn, seen.written.includes('50 %'), seen.written.endsWith(CLEAR)]).toEqual(
      Array(3).fill(isDrawn),
    );
  });
});

test('is full at the end alone, and left out where nothing would fit beside it', () => {
  expect([bar(0), bar(0.999), bar(1)]).toEqual(
    ['░'.repeat(30), `${'█'.repeat(29)}░`, '█'.repeat(30)].map((all) => `[${all}]`),
  );
  expect(barLine(63, 'Waiting', 50)).toBe(`${bar(0.63)} 63 %  Waiting`);
  expect(barLine(63, 'Waiting for an answer', 20)).toBe('63 %  Waiting for a');
});

test('a line for people begins where a line begins, and tells a terminal nothing', async () => {
  const both = printer(TERMINAL);
  const output = outputTo(both, both, false);
  await output.text('Half a');
  output.note('No\u001b[2J such job.');
  output.note('More.');
  await output.text('A line.\n');
  output.note('The end.');
  expect(both.written).toBe('Half a\nNo[2J such job.\nMore.\nA line.\nThe end.\n');
});

test('text goes into a file as it came, JSON has no text beside it', async () => {
  const file = printer();
  await outputTo(file, printer(), false).text('\u001b[31mred\r\n');
  expect(file.written).toBe('\u001b[31mred\r\n');
  const [stdout, stderr] = [printer(), printer()];
  const output = outputTo(stdout, stderr, true);
  await output.text('Hello.');
  output.note('A note.');
  await output.json({ a: 1 });
  expect([stdout.written, stderr.written]).toEqual(['{"a":1}\n', '']);
});
