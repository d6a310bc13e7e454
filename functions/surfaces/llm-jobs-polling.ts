/** How `/api/llm` answers those who poll a job, or wait for it. */
import type { Context } from 'hono';
import type { Principal, Seen } from '../../shared/core/access.ts';
import { isTerminal, type Job } from '../../shared/core/job.ts';
import type { JobService } from '../../shared/core/service.ts';
import type { Submission, Submitted } from '../../shared/core/submitting.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
import { renderRetryAfter } from '../../shared/http/errors.ts';
import { entityTagOf, parseIfNoneMatch, type SeenBefore, waitMsOf } from '../../shared/http/polling.ts';
import { sharedJson } from './llm-jobs-ended-view.ts';
import { answerWhole } from './llm-jobs-large.ts';
import { renderToken } from './llm-jobs-tokens.ts';
import { renderUrls } from './llm-jobs-urls.ts';
import { renderSubmitted, renderWhole } from './llm-jobs-view.ts';
import type { SurfaceContext } from './surface.ts';

/** What of a view says whether it is another one. */
type ShownView = { version: number; progress: number; next_attempt_at?: string | undefined };

/** The status of a job: at once, or when it has changed; without a body where the reader has seen it. */
export async function answerStatus(context: Context<HttpEnv>, service: JobService, id: string, wait?: number) {
  const before = parseIfNoneMatch(context.req.header('if-none-match'));
  const seen = await service.read(context.get('principal'), id, {
    leastVersion: before.newest?.version,
    waitMs: waitMsOf(context, wait),
    until: 'changed',
    signal: context.req.raw.signal,
    isGlance: context.req.method === 'HEAD',
    large: 'apart',
  });
  const json = sharedJson(seen);
  if (json !== undefined) return answerEnded(context, seen.job, json, before);
  const view = renderSeen(context, seen, before.newest?.progress);
  return before.includes(shownIn(view)) ? context.body(null, 304) : answerWhole(context, service, seen.job, view);
}

function answerEnded(context: Context<HttpEnv>, { version }: Job, json: string, before: SeenBefore) {
  const shown = shownIn({ version, progress: 100 });
  context.header('ETag', entityTagOf(shown));
  if (before.includes(shown)) return context.body(null, 304);
  context.header('Content-Type', 'application/json');
  // Typed as the JSON that it is.
  return context.body(json, 200) as never;
}

/** Takes a job in, and answers that; or its status, when the client waits and the job ends meanwhile. */
export function answerSubmit(
  context: Context<HttpEnv>,
  surface: SurfaceContext,
  submission: Submission,
  wait?: number,
) {
  const [principal, requestId] = [context.get('principal'), context.get('requestId')];
  return answerAccepted(context, surface, () => surface.service.submit(principal, { ...submission, requestId }), wait);
}

/** As `answerSubmit`, of a job that is taken in another way. */
export async function answerAccepted(
  context: Context<HttpEnv>,
  { service, jobTokens }: SurfaceContext,
  takeIn: () => Promise<Submitted>,
  wait?: number,
) {
  const principal = context.get('principal');
  const waitMs = waitMsOf(context, wait);
  const { replayed, ...accepted } = await takeIn();
  context.header('Location', renderUrls(accepted.job).status);
  if (replayed) context.header('Idempotency-Replayed', 'true');
  const seen = waitMs > 0 ? await seeEnd(service, principal, accepted, waitMs, context.req.raw.signal) : accepted;
  if (waitMs > 0 && isTerminal(seen.job.state)) {
    return answerWhole(context, service, seen.job, renderSeen(context, seen));
  }
  // Whoever submitted a job may read it with its token, also where they may read nothing else. In another one's name
  // nobody gets one.
  const isOwn = seen.job.user === principal.user;
  const token = isOwn && jobTokens && (await renderToken(seen.job, ['jobs:read', 'jobs:write'], jobTokens));
  const view = { ...renderSubmitted(seen), ...token };
  renderRetryAfter(context, view.poll_after_ms);
  return context.json(view, 202);
}

/** The job when it is over, or as it is when the time is; the job was accepted, also where it cannot be read now. */
function seeEnd(
  service: JobService,
  principal: Principal,
  accepted: Seen,
  waitMs: number,
  signal: AbortSignal,
): Promise<Seen> {
  const { id, version } = accepted.job;
  const untilOver = { leastVersion: version, waitMs, until: 'over' as const, signal, large: 'apart' as const };
  return service.read(principal, id, untilOver).catch(() => accepted);
}

/** The status view, with the headers that go with it. */
function renderSeen(context: Context<HttpEnv>, seen: Seen, shownProgress?: number) {
  const view = renderWhole(seen, { shownProgress });
  context.header('ETag', entityTagOf(shownIn(view)));
  renderRetryAfter(context, view.poll_after_ms);
  return view;
}

function shownIn({ version, progress, next_attempt_at }: ShownView) {
  return { version, progress, isWaiting: next_attempt_at !== undefined };
}
