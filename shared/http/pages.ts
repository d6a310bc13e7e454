/** What is there for people beside the API: which paths are open to everybody, and what a browser may do with an answer. */
import type { MiddlewareHandler } from 'hono';
import { secureHeaders } from 'hono/secure-headers';
import type { HttpEnv } from './env.ts';

const isDocs = (path: string) => /^\/docs(\/|$)/.test(path);

/** Of the console: its page, and its files. */
export const isOfConsole = (path: string): boolean => path === '/' || path.startsWith('/console/');

/** Nobody is asked who they are: it says what the service is, and how it is used. */
export const isPublic = (path: string): boolean =>
  path === '/openapi.json' || path === '/client.js' || isDocs(path) || isOfConsole(path);

/** Pages have policies of their own. */
const headersOfPages = secureHeaders();
/** Answers are data; whoever shows one as a page gets a page that can do nothing. */
const headersOfData = secureHeaders({
  contentSecurityPolicy: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
});

/** The headers that keep browsers from doing more with an answer than it is for. */
export const securityHeaders: MiddlewareHandler<HttpEnv> = (context, next) => {
  const { path } = context.req;
  return (path === '/' || isDocs(path) ? headersOfPages : headersOfData)(context, next);
};
