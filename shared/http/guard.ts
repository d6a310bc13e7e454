/** The door of the application: who asks, may they do this, and have they asked too often. Before any body is read. */
import type { Context, MiddlewareHandler } from 'hono';
import type { Principal } from '../core/access.ts';
import { type ErrorCode, invalidRequest, ServiceError } from '../core/errors.ts';
import type { Authenticate, Authenticated, Refusal } from './auth.ts';
import { assertOurPage, CSRF_HEADER, csrfOf } from './cookies.ts';
import type { HttpEnv } from './env.ts';
import type { Limits } from './limits.ts';
import { allows, type Rule, type RuleOf } from './rules.ts';

export type GuardOptions = {
  ruleOf: RuleOf;
  authenticate: Authenticate;
  limits: Limits;
  /** May a page of this origin call us? */
  allowOrigin: (origin: string) => boolean;
  /** Routes that are open to everybody. */
  isPublic: (path: string) => boolean;
};

const SENTENCES: Record<Refusal, string> = {
  missing: 'Credentials are missing: send them as `Authorization: Bearer …`.',
  expired: 'The credentials have expired. Get new ones.',
  unknown: 'The credentials are not known here.',
};

/** What a stranger is told. */
const REFUSALS: readonly ErrorCode[] = ['unauthenticated', 'forbidden', 'invalid_request'];
const READS: readonly string[] = ['GET', 'HEAD'];

/** Lets a request pass to its route with its principal, or refuses it: 401, 403, 429. */
export function guard(options: GuardOptions): MiddlewareHandler<HttpEnv> {
  const { ruleOf, authenticate, limits, allowOrigin, isPublic } = options;

  /** Whoever is refused here has no bucket but that of their address. */
  async function recognised(
    context: Context<HttpEnv>,
    rule: Rule,
  ): Promise<Extract<Authenticated, { principal: Principal }>> {
    try {
      const tokenInUrl = maySendTokenInUrl(context, rule);
      const beforeLookUp = () => limits.lookUp(context);
      const authenticated = await authenticate(context.req.raw, { tokenInUrl, beforeLookUp });
      if ('principal' in authenticated) return authenticated;
      const { refused: reason } = authenticated;
      throw new ServiceError('unauthenticated', SENTENCES[reason], { fields: { reason } });
    } catch (error) {
      // Who could not be looked at is no stranger.
      if (error instanceof ServiceError && REFUSALS.includes(error.code)) await limits.stranger(context);
      throw error;
    }
  }

  function checkPage(context: Context<HttpEnv>): void {
    const request = context.req.raw;
    if (!READS.includes(request.method)) {
      assertOurPage(request, allowOrigin);
      return;
    }
    const { value, cookie } = csrfOf(request);
    // A page of another host that is listed cannot read our cookies.
    context.header(CSRF_HEADER, value);
    if (cookie) context.header('Set-Cookie', cookie, { append: true });
  }

  return async (context, next) => {
    const { method, path } = context.req;
    if (method === 'OPTIONS') return next();
    const { route, rule } = ruleOf(context);
    if (route === undefined || isPublic(path)) {
      await limits.stranger(context);
      // No body is read for a route that is not there.
      return route === undefined ? context.notFound() : next();
    }
    if (!rule) throw new ServiceError('internal_error', 'This route says not who may use it.');
    const { principal, byCookie, leftMs } = await recognised(context, rule);
    await limits.principal(context, principal);
    if (byCookie) checkPage(context);
    if (!allows(rule, principal)) {
      const sentence =
        principal.jobId !== undefined && !rule.job
          ? 'A job token reads and cancels its own job, nothing else.'
          : `This needs the scope ${rule.scope}.`;
      throw new ServiceError('forbidden', sentence, { fields: { scope: rule.scope } });
    }
    context.set('principal', principal);
    context.set('leftMs', leftMs);
    await next();
    await limits.after(context, principal);
  };
}

/** URLs end in logs and histories: only a stream, which a browser opens without headers, has a token in its own. */
function maySendTokenInUrl({ req }: Context<HttpEnv>, { job }: Rule): boolean {
  const isStream = job && /\/stream\/?$/.test(req.path);
  if (isStream || req.query('access_token') === undefined) return isStream;
  throw invalidRequest([
    { path: 'access_token', message: 'belongs in `Authorization: Bearer …`; only /stream/ takes it in its URL' },
  ]);
}
