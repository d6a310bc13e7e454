/** Errors as FastAPI has them: `{ "detail": "…" }`, and for a wrong request (422) pydantic's list of what is wrong. */
import type { z } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { FieldError, ServiceError } from '../../shared/core/errors.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { renderErrorHeaders, statusOf } from '../../shared/http/errors.ts';
import { otherContract } from './other-contracts.ts';

export type ValidationEntry = {
  type: string;
  loc: (string | number)[];
  msg: string;
  input: unknown;
  ctx?: Record<string, unknown>;
};

/** An error that anybody threw. */
export function renderError(context: Context<HttpEnv>, error: ServiceError): Response {
  renderErrorHeaders(context, error);
  if (error.code === 'invalid_request') return context.json({ detail: entriesOf(error) }, 422);
  return context.json({ detail: sentenceOf(error) }, statusOf(error.code));
}

/** A body that is not what its route takes. */
export async function renderIssues(context: Context<HttpEnv>, issues: readonly z.core.$ZodIssue[]) {
  const body: unknown = await context.req.json();
  return context.json({ detail: issues.map((issue) => entryOf(issue, body)) }, 422);
}

/** A request that has no body, or `null`. */
export function renderNoBody(context: Context<HttpEnv>): Response {
  return context.json({ detail: [{ type: 'missing', loc: ['body'], msg: 'Field required', input: null }] }, 422);
}

function sentenceOf({ code, message, fields }: ServiceError): string {
  if (code === 'route_not_found') return 'Not Found';
  if (code === 'method_not_allowed') return 'Method Not Allowed';
  // The job's id, and with it a way to be sure, is no part of this contract.
  return code === 'store_unavailable' && fields?.job_id !== undefined
    ? 'It is not known whether the job was stored. Submit it again; under the same Idempotency-Key that makes no second job.'
    : message;
}

function entriesOf(error: ServiceError): ValidationEntry[] {
  const { cause, details = [{ path: '', message: error.message }] } = error;
  if (!(cause instanceof SyntaxError)) return details.map(valueEntry);
  const [, at] = / at position (\d+)/.exec(cause.message) ?? [];
  const loc = ['body', ...(at === undefined ? [] : [Number(at)])];
  return [{ type: 'json_invalid', loc, msg: 'JSON decode error', input: {}, ctx: { error: error.message } }];
}

/** Where a field that is not in the body is. */
const OUTSIDE: Record<string, string> = { 'Idempotency-Key': 'header', access_token: 'query' };

function valueEntry({ path, message }: FieldError): ValidationEntry {
  const outside = OUTSIDE[path];
  const parts = path.split('.').filter((part) => part !== '');
  const loc = outside
    ? [outside, path.toLowerCase()]
    : ['body', ...parts.map((part) => (/^\d+$/.test(part) ? Number(part) : part))];
  return { type: 'value_error', loc, msg: `Value error, ${message}`, input: null, ctx: { error: message } };
}

/** pydantic's words for a value of another type. */
const OF_TYPE: Record<string, readonly [type: string, msg: string]> = {
  string: ['string_type', 'Input should be a valid string'],
  boolean: ['bool_type', 'Input should be a valid boolean'],
  array: ['list_type', 'Input should be a valid list'],
  object: ['model_attributes_type', 'Input should be a valid dictionary or object to extract fields from'],
};

function entryOf(issue: z.core.$ZodIssue, body: unknown): ValidationEntry {
  const { path, message } = issue;
  const loc = ['body', ...path.map((part) => (typeof part === 'number' ? part : String(part)))];
  const input = valueAt(body, path);
  if (issue.code === 'invalid_type') {
    if (input === undefined) return missingEntry(loc, body, path);
    const [type, msg] = OF_TYPE[issue.expected] ?? ['value_error', `Value error, ${message}`];
    return { type, loc, msg, input };
  }
  if (issue.code === 'too_small' && issue.origin === 'string') {
    const msg = `String should have at least ${counted(issue.minimum, 'character')}`;
    return { type: 'string_too_short', loc, msg, input, ctx: { min_length: Number(issue.minimum) } };
  }
  if (isOfList(issue)) return sizeEntry(issue, loc, Array.isArray(input) ? input : []);
  return { type: 'value_error', loc, msg: `Value error, ${message}`, input, ctx: { error: message } };
}

type SizeIssue = z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig;

function isOfList(issue: z.core.$ZodIssue): issue is SizeIssue {
  return (issue.code === 'too_small' || issue.code === 'too_big') && issue.origin === 'array';
}

function sizeEntry(issue: SizeIssue, loc: ValidationEntry['loc'], input: unknown[]): ValidationEntry {
  const isShort = issue.code === 'too_small';
  const [limit, words] = isShort ? [issue.minimum, 'at least'] : [issue.maximum, 'at most'];
  const msg = `List should have ${words} ${counted(limit, 'item')} after validation, not ${input.length}`;
  const bound = { [isShort ? 'min_length' : 'max_length']: Number(limit) };
  const ctx = { field_type: 'List', ...bound, actual_length: input.length };
  return { type: isShort ? 'too_short' : 'too_long', loc, msg, input, ctx };
}

/** A field that is not there. Its body may be meant for somebody else. */
function missingEntry(loc: ValidationEntry['loc'], body: unknown, path: readonly PropertyKey[]): ValidationEntry {
  const other = otherContract(body, 'structured-extraction');
  const msg = other === undefined ? 'Field required' : `Field required; ${other}`;
  return { type: 'missing', loc, msg, input: valueAt(body, path.slice(0, -1)) };
}

function counted(count: number | bigint, thing: string): string {
  return `${count} ${thing}${Number(count) === 1 ? '' : 's'}`;
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown>)[part], body);
}
