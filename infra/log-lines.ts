/** Lines that a function logged, as text or as JSON, read again. */
import { LOG_LEVELS, type LogLevel } from '../shared/adapters/stdout-log.ts';

export type LineFacts = { severity: LogLevel; event: string; why?: string | undefined };

const TEXT = /^(?:[\w -]+: )?\d\d:\d\d:\d\d (?:(debug|warning|error)| ) ([a-z][a-z-]*)(?: |$)(.*)/;
const JSON_LINE = /^(?:[\w -]+: )?(\{.*\})$/;

/** What a line says, with the name of its process before it or without; `undefined` for what is no line of a log. */
export function factsOfLine(line: string): LineFacts | undefined {
  const [, json] = JSON_LINE.exec(line) ?? [];
  if (json !== undefined) return factsOfJson(json);
  const [, severity = 'info', event, fields = ''] = TEXT.exec(line) ?? [];
  return event === undefined
    ? undefined
    : { severity: severity as LogLevel, event, why: / why=(\S+)/.exec(` ${fields}`)?.[1] };
}

function factsOfJson(text: string): LineFacts | undefined {
  try {
    const { severity, message, why } = JSON.parse(text);
    const level = LOG_LEVELS.find((known) => known.toUpperCase() === severity);
    return level && typeof message === 'string' ? { severity: level, event: message, why } : undefined;
  } catch {
    return undefined;
  }
}

/** Is it shown to who wants no lines less important than `level`? What an auditor reads always is. */
export function isShown({ severity, event }: LineFacts, level: LogLevel): boolean {
  return LOG_LEVELS.indexOf(severity) >= LOG_LEVELS.indexOf(level) || event === 'audit';
}
