/** What a command shows: text and a progress bar in a terminal, JSON elsewhere. */
import type { LlmJobsError } from './errors.ts';
import { barLine, CLEAR } from './progress-bar.ts';
import type { EndedJob, JobView } from './views.ts';

/** Standard output, or standard error. */
export type Printer = { isTTY?: boolean; columns?: number; write(text: string, done?: () => void): unknown };

export type Output = {
  /** Is it JSON that is printed? */
  isJson: boolean;
  /** Does anybody see the bar? */
  isDrawn: boolean;
  /** A value as one line, where JSON is printed. */
  json(value: unknown): Promise<void>;
  /** Text to standard output, where text is printed. */
  text(text: string): Promise<void>;
  /** A line for people, beside the text. */
  note(line: string): void;
  /** Draws the bar, where people look. */
  draw(job: Pick<JobView, 'progress' | 'message'>): void;
  /** Draws it once more, as it was, with another message. */
  drawMessage(message: string): void;
  /** Leaves the bar as it is, or removes it. */
  endBar(how: 'keep' | 'remove'): void;
};

export function outputTo(stdout: Printer, stderr: Printer, isJson: boolean): Output {
  let drawn: { progress: number } | undefined;
  let isMidLine = false;
  const print = (text: string) => new Promise<void>((resolve) => void stdout.write(text, resolve));

  const output: Output = {
    isJson,
    isDrawn: stderr.isTTY === true && !(isJson && stdout.isTTY),
    json: async (value) => (isJson ? print(`${JSON.stringify(value)}\n`) : undefined),

    async text(text) {
      if (isJson || text === '') return;
      output.endBar('remove');
      isMidLine = !text.endsWith('\n');
      await print(stdout.isTTY ? printable(text) : text);
    },

    note(line) {
      if (isJson) return;
      output.endBar('remove');
      if (isMidLine && stdout.isTTY) stderr.write('\n');
      isMidLine = false;
      stderr.write(`${printable(line)}\n`);
    },

    draw({ progress, message }) {
      if (!output.isDrawn) return;
      drawn = { progress };
      stderr.write(`${CLEAR}${barLine(progress, printable(message).replace(/\s+/g, ' '), stderr.columns)}`);
    },

    drawMessage: (message) => output.draw({ progress: drawn?.progress ?? 0, message }),

    endBar(how) {
      if (drawn === undefined) return;
      stderr.write(how === 'keep' ? '\n' : CLEAR);
      drawn = undefined;
    },
  };
  return output;
}

/** Without what would tell a terminal to do something: models, and the people who ask them, write what they like. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what it is about
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');
}

/** What the model answered: the part of the result that is not about how. */
export function resultOf({ result_data: data }: Pick<EndedJob, 'result_data'>): unknown {
  return typeof data === 'object' && data !== null && 'result' in data ? data.result : data;
}

/** That as text: itself, or the JSON that it is. */
export function answerOf(job: Pick<EndedJob, 'result_data'>): string {
  const answer = resultOf(job);
  if (answer === undefined) return '';
  return typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2);
}

/** How a job ended, in a line. */
export function summaryOf({ status, model, usage, cost }: EndedJob, seconds: number | undefined): string {
  const time = seconds === undefined ? '' : ` in ${seconds.toFixed(1)} s`;
  const tokens = usage ? `${usage.input_tokens} tokens in, ${usage.output_tokens} out` : 'no usage reported';
  const price = cost ? `, $${Number(cost.toPrecision(3))}` : '';
  return `${status} by ${model.name}${time}; ${tokens}${price}`;
}

/** An error in the API's own words for one. */
export function errorBody(error: LlmJobsError) {
  return {
    success: false,
    error: error.message,
    code: error.code,
    job_id: error.jobId,
    status: error.status,
    reason: error.reason,
    retry_after_ms: error.retryAfterMs,
    request_id: error.requestId,
    details: error.details,
  };
}

/** An error for people: a sentence, and what to ask about it with. */
export function errorLine({ message, code, requestId }: LlmJobsError): string {
  return `${message} (${code}${requestId === undefined ? '' : `; request ${requestId}`})`;
}
