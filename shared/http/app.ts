/**
 * The HTTP application around the surfaces: request ids, who asks, what a body may be, 404 and 405, errors, and the
 * description of it all. It knows no route of any contract.
 */
import { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { cors } from 'hono/cors';
import { requestId } from 'hono/request-id';
import { routePath } from 'hono/route';
import { type ErrorCode, framesOf, invalidRequest, ServiceError } from '../core/errors.ts';
import { toFieldErrors } from '../core/field-errors.ts';
import type { Log } from '../core/ports.ts';
import { type Traced, untraced } from '../core/tracing.ts';
import type { Authenticate } from './auth.ts';
import { checkBody } from './body.ts';
import type { HttpEnv } from './env.ts';
import { toServiceError } from './errors.ts';
import { guard } from './guard.ts';
import type { Limits } from './limits.ts';
import { refuseOtherMethods } from './methods.ts';
import { isPublic, securityHeaders } from './pages.ts';
import { spanOfRequest } from './request-span.ts';
import { describeSchemes, rulesOf } from './rules.ts';

export type HttpApp = OpenAPIHono<HttpEnv>;

export type HttpAppOptions = Traced & {
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
  const {
    authenticate,
    limits,
    log,
    tracing = untraced,
    serves,
    isBatch,
    renderError,
    allowOrigin,
    allowCookies,
  } = options;
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
  app.use(spanOfRequest(tracing));
  app.use(securityHeaders);
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
  app.use(refuseOtherMethods(app, renderError));
  app.use(async (context, next) => {
    context.header('Cache-Control', 'no-store');
    // Not found here; `refuseOtherMethods` makes it a 405 where the path has methods that are served.
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
    // Not the address: it may name a person.
    route: `${context.req.method} ${routePath(context, -1)}`,
    code: error.code,
    stack,
  });
}
