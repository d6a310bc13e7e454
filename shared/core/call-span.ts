/**
 * The spans and measurements of calls to a model, under OpenTelemetry's names for them. What was asked and answered is in
 * none of them.
 *
 * @see https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
 */
import type { AttemptResult, MadeCall } from './attempt-result.ts';
import type { Job, JobModel } from './job.ts';
import type { Background, CallOptions, LlmPart, LlmRequest } from './llm.ts';
import type { Clock } from './ports.ts';
import { routeOf } from './routes.ts';
import { type Metric, type SpanAttributes, type Traced, untraced } from './tracing.ts';

/** What the span of a call hears of it. */
export type CallSpan = {
  /** Of the request, which carries it on. */
  traceparent: string | undefined;
  asks(request: LlmRequest): void;
  hears(part: LlmPart): void;
};

/** Where OpenTelemetry has another name for a provider than we. */
const PROVIDERS: { readonly [provider: string]: string } = { gemini: 'gcp.gemini', vertex: 'gcp.vertex_ai' };

const DURATION: Metric = { name: 'gen_ai.client.operation.duration', unit: 's' };
const FIRST_CHUNK: Metric = { name: 'gen_ai.client.operation.time_to_first_chunk', unit: 's' };
const TOKENS: Metric = { name: 'gen_ai.client.token.usage', unit: '{token}' };

/** A span around one attempt's call, or around the reading of one that was made before. Notes when the first token came. */
export function spanOfCall(
  { tracing = untraced, clock }: Traced & { clock: Clock },
  job: Job,
  made: MadeCall | undefined,
  work: (call: CallSpan) => Promise<AttemptResult>,
): Promise<AttemptResult> {
  const { model } = routeOf(job);
  const attributes = named(model, 'chat');
  return tracing.span(`chat ${model.model}`, { kind: made ? undefined : 'client', attributes }, async (span) => {
    const begunMs = clock.monotonicMs();
    let askedMs = begunMs;
    let firstTokenMs: number | undefined;
    const result = await work({
      traceparent: span.traceparent,
      asks({ maxOutputTokens, temperature, topP }) {
        askedMs = clock.monotonicMs();
        const asked = { 'gen_ai.request.max_tokens': maxOutputTokens, 'gen_ai.request.temperature': temperature };
        span.set({ ...asked, 'gen_ai.request.top_p': topP });
      },
      hears(part) {
        if (part.type === 'response') span.set({ 'gen_ai.response.id': part.id, 'gen_ai.response.model': part.model });
        if (firstTokenMs !== undefined || made || (part.type !== 'text-delta' && part.type !== 'tool-call')) return;
        firstTokenMs = Math.round(clock.monotonicMs() - askedMs);
      },
    });
    const { facts } = result;
    facts.firstTokenMs = firstTokenMs;
    const { usage, finishReason } = facts;
    span.set({
      'gen_ai.response.finish_reasons': finishReason && [finishReason],
      'gen_ai.usage.input_tokens': usage?.inputTokens,
      'gen_ai.usage.output_tokens': usage?.outputTokens,
    });
    const error = result.ended === 'failed' ? result.error : result.ended === 'stopped' ? result.reason : undefined;
    if (error) span.fail(error.code);
    if (facts.notMade) return result;
    const measured = { ...attributes, 'error.type': error?.code };
    const tookMs = made ? clock.nowMs() - made.startedMs : clock.monotonicMs() - askedMs;
    tracing.record(DURATION, tookMs / 1_000, measured);
    if (firstTokenMs !== undefined) tracing.record(FIRST_CHUNK, firstTokenMs / 1_000, measured);
    for (const [type, tokens] of [['input', usage?.inputTokens] as const, ['output', usage?.outputTokens] as const]) {
      if (tokens !== undefined) tracing.record(TOKENS, tokens, { ...attributes, 'gen_ai.token.type': type });
    }
    return result;
  });
}

/** A provider's background mode, each of whose requests is a span, and carries it on. */
export function tracedBackground(
  { tracing = untraced }: Traced,
  model: JobModel,
  { start, look, cancel }: Background,
): Background {
  const spanOf = <T>(act: string, options: CallOptions, ask: (options: CallOptions) => Promise<T>) =>
    tracing.span(`${act} ${model.model}`, { kind: 'client', attributes: named(model, act) }, ({ traceparent }) =>
      ask({ ...options, traceparent }),
    );
  return {
    start: (request, options) => spanOf('start', options, (each) => start(request, each)),
    look: (id, request, options) => spanOf('look', options, (each) => look(id, request, each)),
    cancel: (id, options) => spanOf('cancel', options, (each) => cancel(id, each)),
  };
}

function named({ provider, model }: JobModel, operation: string): SpanAttributes {
  return {
    'gen_ai.operation.name': operation,
    'gen_ai.provider.name': PROVIDERS[provider] ?? provider,
    'gen_ai.request.model': model,
  };
}
