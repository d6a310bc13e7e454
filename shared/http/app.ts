/**
 * The HTTP application around the surfaces: request ids, who asks, what a body may be, 404 and 405, errors, and the
 * description of it all. It knows no route of any contract.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { cors } from 'hono/cors';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';
import { secureHeaders } from 'hono/secure-headers';
import { type ErrorCode, framesOf, invalidRequest, ServiceError } from '../core/errors.ts';
import { toFieldErrors } from '../core/field-errors.ts';
import type { Log } from '../core/ports.ts';
import type { Authenticate } from './auth.ts';
import { checkBody } from './body.ts';
import type { HttpEnv } from './env.ts';
import { toServiceError } from './errors.ts';
import { guard } from './guard.ts';
import type { Limits } from './limits.ts';
import { describeSchemes, rulesOf } from './rules.ts';

export type HttpApp = OpenAPIHono<HttpEnv>;

export type HttpAppOptions = {
  authenticate: Authenticate;
  limits: Limits;
  log: Log;
  /** Does this deployment serve such a request? The others are 404 or 405 even where their route exists. */
  serves: (method: string, path: string) => boolean;
  /** Does the body of such a request hold many, each judged on its own by the route? */
  isBatch: (request: { method: string; path: string }) => boolean;
  /** An error in the words of the contract that the request is for. */
  renderError: (context: Context<HttpEnv>, error: ServiceError) => Response;
  /** May a page of this origin call us? */
  allowOrigin: (origin: string) => boolean;
  /** May such a page let the browser send our cookies with it? */
  allowCookies: boolean;
};

/** What an operator must hear of; everything else is the caller's to mend. */
const FAULTS: readonly ErrorCode[] = ['internal_error', 'store_unavailable', 'auth_unavailable'];
/** Every deployment answers it, whatever else it serves. */
const HEALTH = '/health';
const isDocs = (path: string) => /^\/docs(\/|$)/.test(path);
/** What it is, and how it is used. */
const isPublic = (path: string) => path === '/openapi.json' || isDocs(path);
const headersOfPages = secureHeaders();
/** Answers are data; whoever shows one as a page gets a page that can do nothing. */
const headersOfData = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
});
const EXPOSED = [
  ...['Location', 'ETag', 'Retry-After', 'Preference-Applied', 'Idempotency-Replayed', 'X-Request-ID'],
  ...['RateLimit', 'RateLimit-Policy', 'WWW-Authenticate', 'X-CSRFToken'],
];
const ALLOWED = [
  ...['Authorization', 'Content-Type', 'X-CSRFToken', 'X-Request-ID', 'Idempotency-Key', 'Prefer', 'If-None-Match'],
  ...['Last-Event-ID', 'traceparent'],
];

/** The application without routes; `finishApp` closes it when every surface has mounted its own. */
export function httpApp(options: HttpAppOptions): HttpApp {
  const { authenticate, limits, log, serves, isBatch, renderError, allowOrigin, allowCookies } = options;
  const app = new OpenAPIHono<HttpEnv>({
    strict: false,
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(toFieldErrors(result.error.issues));
    },
  });

  app.onError((thrown, context) => {
    const error = toServiceError(thrown);
    const response = renderError(context, error);
    if (FAULTS.includes(error.code)) logFault(log, context, error);
    return response;
  });
  app.notFound((context) => {
    const sentence = `There is no ${context.req.method} ${context.req.path}. The API is described at /docs and /openapi.json.`;
    return renderError(context, new ServiceError('route_not_found', sentence));
  });

  app.use(requestId());
  app.use((context, next) => (isDocs(context.req.path) ? headersOfPages : headersOfData)(context, next));
  const forPages = {
    origin: (origin: string) => (allowOrigin(origin) ? origin : null),
    ...{ exposeHeaders: EXPOSED, allowHeaders: ALLOWED, maxAge: 7_200 },
  };
  const [crossOrigin, withCookies] = [cors(forPages), cors({ ...forPages, credentials: true })];
  app.use((context, next) => {
    const origin = context.req.header('origin');
    // No page asks. What is answered is kept by no cache, so that it need not say what it varies with.
    if (origin === undefined) return next();
    return (allowCookies && allowOrigin(origin) ? withCookies : crossOrigin)(context, next);
  });
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (context, allowed) => {
        context.header('Allow', allowed.join(', '));
        const sentence = `${context.req.method} is not allowed here; allowed: ${allowed.join(', ')}.`;
        return renderError(context as never, new ServiceError('method_not_allowed', sentence));
      },
    }),
  );
  app.use(async (context, next) => {
    context.header('Cache-Control', 'no-store');
    // Not found here; `methodNotAllowed` makes it a 405 where the path has methods that are served.
    const { method, path } = context.req;
    return path === HEALTH || method === 'OPTIONS' || serves(method, path) ? next() : context.notFound();
  });
  app.get(HEALTH, (context) => context.json({ status: 'ok' }));
  app.use(guard({ ruleOf: rulesOf(app), authenticate, limits, allowOrigin, isPublic }));
  app.use(checkBody(isBatch));
  return app;
}

/** Adds `GET /openapi.json`, generated from the routes that were mounted. */
export function describeApp(app: HttpApp, info: { title: string; version: string; description: string }): void {
  describeSchemes(app);
  app.doc31('/openapi.json', { openapi: '3.1.0', info });
}

function logFault(log: Log, context: Context<HttpEnv>, error: ServiceError): void {
  const stack = error.code === 'internal_error' && error.cause instanceof Error ? framesOf(error.cause) : undefined;
  log('error', 'request-failed', {
    request_id: context.get('requestId'),
    path: context.req.path,
    code: error.code,
    stack,
  });
}
