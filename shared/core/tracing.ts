/**
 * Tracing: which piece of work belongs to which, from the caller's request to the provider's, in W3C's words. What a trace
 * holds are ids, numbers and codes: never a prompt, an answer or a key.
 *
 * @see https://www.w3.org/TR/trace-context/
 */

import type { Job } from './job.ts';

export type SpanAttributes = { readonly [name: string]: string | number | boolean | readonly string[] | undefined };

/** What each log line says that is written within a span, unless it says it itself. */
export type SpanFacts = { readonly [name: string]: string | number | undefined };

/** Where a log line belongs: the trace, the span, and what is known of the work. */
export type LogContext = { traceId: string; spanId: string; isSampled: boolean; facts: SpanFacts };

export type SpanOptions = {
  kind?: 'server' | 'client' | 'consumer' | undefined;
  /**
   * A `traceparent`. Absent, or malformed: the span under way, or else a new trace; always a new one for a request or a
   * message that is taken in (`server`, `consumer`).
   */
  parent?: string | undefined;
  attributes?: SpanAttributes | undefined;
  facts?: SpanFacts | undefined;
};

/** A piece of work that is under way. */
export type Span = {
  /** For those who are called from it; absent where nothing is traced. */
  traceparent: string | undefined;
  set(attributes: SpanAttributes): void;
  /** It did not do what it was for. */
  fail(code: string): void;
};

/** What is measured beside spans; the names are those of OpenTelemetry's conventions for GenAI where these have one. */
export type Metric = {
  name:
    | 'gen_ai.client.operation.duration'
    | 'gen_ai.client.token.usage'
    | 'gen_ai.client.operation.time_to_first_chunk';
  unit: 's' | '{token}';
};

export type Tracing = {
  /** Does the work: all that is called and logged within belongs to the span, which fails with what the work throws. */
  span<T>(name: string, options: SpanOptions, work: (span: Span) => Promise<T>): Promise<T>;
  /** The `traceparent` of the span under way. */
  current(): string | undefined;
  record(metric: Metric, value: number, attributes: SpanAttributes): void;
};

const NO_SPAN: Span = { traceparent: undefined, set: () => {}, fail: () => {} };

/** Where nothing is traced. */
export const untraced: Tracing = {
  span: (_name, _options, work) => work(NO_SPAN),
  current: () => undefined,
  record: () => {},
};

/** Whoever may be traced. */
export type Traced = { tracing?: Tracing | undefined };

/** What each line says that is written in work for a job. */
export function factsOf({ id, tenant, attempt }: Pick<Job, 'id' | 'tenant' | 'attempt'>): SpanFacts {
  return { job_id: id, tenant, attempt };
}

/** As the parent of work for a job: its own trace, and within it the span under way, if that is of the same one. */
export function parentFor(tracing: Tracing, traceparent: string | undefined): string | undefined {
  const current = tracing.current();
  return current !== undefined && traceparent?.slice(0, TRACE_END) === current.slice(0, TRACE_END)
    ? current
    : traceparent;
}

/** `00-`, and the 32 digits of a trace's id. */
const TRACE_END = 35;
