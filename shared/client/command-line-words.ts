/** What the words of a command line ask for, and what they may be. */
import { parseArgs } from 'node:util';

/** Something that whoever typed the words can mend, with other words. */
export class UsageError extends Error {}

/** Options with a value: what stands for it, and what it says. */
const VALUES = {
  model: ['MODEL', 'who answers: gpt-4o-mini, simulated…'],
  type: ['TYPE', 'the job type'],
  system: ['TEXT', 'a system message, beside the prompt'],
  input: ['FILE', 'the whole input_data, as JSON; - for standard input'],
  file: ['FILE', 'the whole submission, as JSON; - for standard input'],
  id: ['UUID', "the job's id (version 4 or 7): as often as it is submitted, it is one job"],
  tag: ['TAG', 'a tag'],
  'max-cost': ['USD', 'what the job may cost'],
  status: ['STATUS', 'pending, processing, completed, failed or cancelled'],
  limit: ['N', 'how many, 20 unless told'],
  timeout: ['SECONDS', 'how long to try: 30, and 600 where it waits for the end'],
  url: ['URL', 'where the API is: else LLM_JOBS_URL, else http://127.0.0.1:8080'],
  'token-file': ['FILE', 'holds the token, which else is LLM_JOBS_TOKEN; - for standard input'],
} as const;

const FLAGS = {
  wait: 'wait for the end, and print the result',
  stream: 'print the text as it comes',
  all: 'all there are',
  json: 'print JSON, also in a terminal',
  text: 'print text, also into a pipe or a file',
  help: 'this',
} as const;

export type ValueName = keyof typeof VALUES;
export type Flag = keyof typeof FLAGS;

type Form = { operand: string; does: string; values: readonly ValueName[]; flags: readonly Flag[] };

const FOR_ALL = { values: ['timeout', 'url', 'token-file'], flags: ['json', 'text', 'help'] } as const;

const COMMANDS = {
  submit: {
    operand: '[PROMPT]',
    does: 'submits a job; the prompt may come through a pipe',
    values: ['model', 'type', 'system', 'input', 'file', 'id', 'tag', 'max-cost'],
    flags: ['wait', 'stream'],
  },
  wait: { operand: 'ID', does: 'waits for the end of a job, and prints its result', values: [], flags: [] },
  tail: { operand: 'ID', does: 'prints the text of a job as it comes', values: [], flags: [] },
  list: {
    operand: '',
    does: 'lists jobs, the newest first',
    values: ['status', 'type', 'tag', 'limit'],
    flags: ['all'],
  },
  cancel: { operand: 'ID', does: 'asks for the end of a job', values: [], flags: [] },
} as const satisfies Record<string, Form>;

export type Command = keyof typeof COMMANDS;

/** The words as read. `operand` is the prompt, or the job's id. */
export type Words = {
  command: Command;
  operand: string | undefined;
  values: Partial<Record<ValueName, string>>;
  flags: ReadonlySet<Flag>;
  tags: string[];
};

const ENDS = `Prints text in a terminal, JSON elsewhere. Ends with
  0    done; the job completed
  1    the job failed or was cancelled
  2    wrong words
  3    the server refused, or did not answer
  4    the time is up; the job goes on
  74   what it prints cannot be written
  130  Ctrl-C; the job goes on`;

/** How to use it all. */
export function usage(): string {
  const lines = Object.keys(COMMANDS).map((name) => {
    const { operand, does } = COMMANDS[name as Command];
    return `  npx llm-jobs ${`${name} ${operand}`.padEnd(15)}  ${does}`;
  });
  return `Usage:\n${lines.join('\n')}\nEach takes --help; llm-jobs alone takes --version.\n${ENDS}`;
}

/** How to use one command. */
export function helpOf(command: Command): string {
  const { values, flags, operand, does } = formOf(command);
  const lines = [
    ...values.map((name) => `  ${`--${name} ${VALUES[name][0]}`.padEnd(17)}  ${VALUES[name][1]}`),
    ...flags.map((name) => `  ${`--${name}`.padEnd(17)}  ${FLAGS[name]}`),
  ];
  const heading = `Usage: npx llm-jobs ${`${command} ${operand}`.trim()}`;
  return `${heading}\n${does[0]?.toUpperCase()}${does.slice(1)}.\n${lines.join('\n')}\n${ENDS}`;
}

/** The words of one command, in brief. */
export function usageOf(command: Command): string {
  const { values, flags, operand } = formOf(command);
  const options = [...values.map((name) => `[--${name} ${VALUES[name][0]}]`), ...flags.map((name) => `[--${name}]`)];
  return `Usage: npx llm-jobs ${[command, operand, ...options].filter((word) => word !== '').join(' ')}`;
}

export function isCommand(word: string | undefined): word is Command {
  return word !== undefined && Object.hasOwn(COMMANDS, word);
}

/** Reads the words that come after a command. */
export function wordsOf(command: Command, args: string[]): Words {
  const form = formOf(command);
  const { values: given, positionals } = parsed(form, args);
  // Asked for help, nobody wants to hear of other words.
  if (given.help) return { command, operand: undefined, values: {}, flags: new Set(['help']), tags: [] };
  const values: Words['values'] = {};
  for (const name of form.values) {
    const [value, second] = (given[name] ?? []) as string[];
    if (second !== undefined && !(name === 'tag' && command === 'submit')) {
      throw new UsageError(`--${name} is given more than once.`);
    }
    if (value === '') throw new UsageError(`--${name} must not be empty.`);
    if (value !== undefined) values[name] = value;
  }
  const flags = new Set(form.flags.filter((name) => given[name] === true));
  if (flags.has('json') && flags.has('text')) throw new UsageError('--json goes without --text.');
  const tags = (given.tag ?? []) as string[];
  return { command, operand: operandIn(form, positionals), values, flags, tags };
}

function formOf(command: Command): Form {
  const { values, flags, ...rest } = COMMANDS[command];
  return { ...rest, values: [...values, ...FOR_ALL.values], flags: [...flags, ...FOR_ALL.flags] };
}

function parsed(
  { values, flags }: Form,
  args: string[],
): { values: Partial<Record<string, unknown>>; positionals: string[] } {
  const options = Object.fromEntries([
    // All of them may come twice as far as Node is concerned, which would quietly take the last one.
    ...values.map((name) => [name, { type: 'string' as const, multiple: true }] as const),
    ...flags.map((name) => [name, { type: 'boolean' as const, ...(name === 'help' && { short: 'h' }) }] as const),
  ]);
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (error) {
    // What follows is of words that begin with a dash; the usage comes below.
    const [sentence = ''] = (error as Error).message.split(/\.?\n|\.\s/);
    throw new UsageError(`${sentence}.`);
  }
}

function operandIn({ operand }: Form, [first, second]: string[]): string | undefined {
  const surplus = operand === '' ? first : second;
  if (surplus !== undefined) {
    const advice = operand === '[PROMPT]' ? ': put the prompt in quotes' : '';
    throw new UsageError(`'${surplus}' is one word too many${advice}.`);
  }
  if (first === undefined && operand === 'ID') throw new UsageError('The id of a job is missing.');
  return first;
}

/** A number above 0 that an option names. */
export function numberIn(name: ValueName, { values }: Words): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = /^\d{1,9}(\.\d{1,9})?$/.test(text) ? Number(text) : 0;
  const isWhole = name !== 'limit' || Number.isInteger(value);
  if (value > 0 && isWhole) return value;
  throw new UsageError(`--${name} must be a ${name === 'limit' ? 'whole ' : ''}number above 0; it is '${text}'.`);
}

/** One of the words that an option may be. */
export function oneOf<T extends string>(name: ValueName, known: Record<T, unknown>, { values }: Words): T | undefined {
  const text = values[name];
  if (text === undefined || Object.hasOwn(known, text)) return text as T | undefined;
  throw new UsageError(`--${name} must be one of ${Object.keys(known).join(', ')}; it is '${text}'.`);
}
