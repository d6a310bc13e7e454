/** `/break-it/`: what can be broken here, a way to break it, and what came of it; for this machine's own pages alone. */
import { Hono } from 'hono';
import { requestId } from 'hono/request-id';
import { z } from 'zod';
import { systemClock } from '../shared/adapters/system-clock.ts';
import { invalidRequest, ServiceError } from '../shared/core/errors.ts';
import { toFieldErrors } from '../shared/core/field-errors.ts';
import { isJobId } from '../shared/core/ids.ts';
import type { Clock } from '../shared/core/ports.ts';
import { checkBody, noBodyNeeded } from '../shared/http/body.ts';
import type { HttpEnv } from '../shared/http/env.ts';
import { renderError, toServiceError } from '../shared/http/errors.ts';
import { respondWithEvents } from '../shared/http/sse.ts';
import type { Counts } from './break-it-counts.ts';
import { BREAK_IT_MODEL } from './break-it-provider.ts';
import { type Fetch, forbidden } from './own-names.ts';

/** `true`, or why it cannot be done here. */
export type Available = Record<'kill_worker' | 'deliver' | 'rate_limit' | 'cut' | 'freeze_store', true | string>;

/** How it is done, where it is. */
export type Deeds = {
  killWorker(): void;
  /** Delivers the doorbell of a job so many times. */
  deliver(jobId: string, times: number): Promise<void>;
  /** From now on the store gives no answer, or answers again. */
  setFrozen(frozen: boolean): void;
};

export type BreakIt = {
  fetch: Fetch;
  /** Lets the store answer again, if it does not. */
  thaw(): void;
  /** Whoever looks on has to come again. */
  endStreams(): void;
};

export type BreakItOptions = { counts: Counts; available: () => Available; deeds: Deeds; clock?: Clock };

const STREAM_MS = 600_000;
const TIMES_MOST = 100;
const SECONDS_MOST = 30;
const AN_ID = 'must be the id of a job, a UUID';
const unlessMissing =
  (message: string) =>
  ({ input }: { input?: unknown }) =>
    input === undefined ? 'is required' : message;
const jobId = z
  .string({ error: unlessMissing(AN_ID) })
  .toLowerCase()
  .refine(isJobId, { error: AN_ID });
function wholeTo(most: number) {
  const error = unlessMissing(`must be a whole number from 1 to ${most}`);
  return z.int({ error }).min(1, { error }).max(most, { error });
}
const only = <Shape extends z.ZodRawShape>(shape: Shape) =>
  z.strictObject(shape, { error: ({ code }) => (code === 'unrecognized_keys' ? 'is not a known field' : undefined) });
const NOTHING = only({});
const DELIVER = only({ job_id: jobId, times: wholeTo(TIMES_MOST) });
const FREEZE = only({ seconds: wholeTo(SECONDS_MOST) });

/** What the settings of a service have to leave free for the provider's model. */
type ModelSettings = { openaiCompatibleBaseUrl?: string | undefined; openaiCompatibleModels: readonly string[] };

/** Why there cannot be the model that is called for in all of it; `undefined` where there can. */
export function whyNoModel({ openaiCompatibleBaseUrl, openaiCompatibleModels }: ModelSettings): string | undefined {
  if (openaiCompatibleBaseUrl === undefined && openaiCompatibleModels.length === 0) return undefined;
  return `The model ${BREAK_IT_MODEL} needs OPENAI_COMPATIBLE_BASE_URL and OPENAI_COMPATIBLE_MODELS for itself: start without them.`;
}

/** All of it, or the reason why nothing. */
export function allAvailable(whyNot?: string): Available {
  const said = whyNot ?? true;
  return { kill_worker: said, deliver: said, rate_limit: said, cut: said, freeze_store: said };
}

export function breakIt({ counts, available, deeds, clock = systemClock() }: BreakItOptions): BreakIt {
  const app = new Hono<HttpEnv>({ strict: false });
  const state = () => ({ available: available(), model: BREAK_IT_MODEL, ...counts.read() });
  const streams = new Set<AbortController>();
  let cancelThaw = () => {};

  function setFrozen(frozen: boolean): void {
    cancelThaw();
    deeds.setFrozen(frozen);
    counts.setFrozen(frozen);
  }

  async function* states(signal: AbortSignal) {
    while (!signal.aborted) {
      const changed = counts.changed(signal);
      yield { event: 'state', data: state() };
      await changed;
    }
  }

  app.onError((error, context) => renderError(context, toServiceError(error)));
  app.notFound((context) =>
    renderError(context, new ServiceError('route_not_found', `There is no ${context.req.method} ${context.req.path}.`)),
  );
  app.use(requestId());
  app.use(async (context, next) => {
    context.header('Cache-Control', 'no-store');
    await next();
  });
  app.get('/break-it', (context) => context.json(state()));
  app.get('/break-it/stream', (context) => {
    const stop = new AbortController();
    streams.add(stop);
    stop.signal.addEventListener('abort', () => streams.delete(stop));
    return respondWithEvents(context, states(stop.signal), { stop, lifeMs: STREAM_MS });
  });
  app.use(
    noBodyNeeded,
    checkBody(() => false),
  );
  const onPost = <Body>(
    path: string,
    deed: keyof Available,
    schema: z.ZodType<Body>,
    does: (body: Body) => void | Promise<void>,
  ) =>
    app.post(path, async (context) => {
      const parsed = schema.safeParse(await context.req.json());
      const may = available()[deed];
      if (may !== true) {
        const refusal = { success: false, error: may, code: 'not_available', request_id: context.get('requestId') };
        return context.json(refusal, 409);
      }
      if (!parsed.success) throw invalidRequest(toFieldErrors(parsed.error.issues));
      await does(parsed.data);
      return context.json({ success: true });
    });
  onPost('/break-it/kill-worker', 'kill_worker', NOTHING, () => deeds.killWorker());
  onPost('/break-it/deliver', 'deliver', DELIVER, ({ job_id, times }) => deeds.deliver(job_id, times));
  onPost('/break-it/freeze-store', 'freeze_store', FREEZE, ({ seconds }) => {
    setFrozen(true);
    cancelThaw = clock.setTimer(() => setFrozen(false), seconds * 1_000);
  });
  return {
    fetch: (request) => app.fetch(request),
    thaw() {
      if (counts.read().frozen) setFrozen(false);
    },
    endStreams() {
      for (const stream of streams) stream.abort();
    },
  };
}

/** `fetch`, and before it what is asked of `/break-it/` by no page but our own. */
export function withBreakIt(fetch: Fetch, breakItFetch: Fetch): Fetch {
  return (request, connection) => {
    const { pathname, origin } = new URL(request.url);
    if (!/^\/break-it(\/|$)/.test(pathname)) return fetch(request, connection);
    const page = request.headers.get('origin');
    return page === null || page === origin
      ? breakItFetch(request)
      : forbidden('The service is broken from its own console alone, or from a command line.');
  };
}
