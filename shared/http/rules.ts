/**
 * Who may use a route: each says it in its description (`security`), and what is described is what is enforced. A route
 * that says nothing is open to nobody.
 */
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import { matchedRoutes } from 'hono/route';
import type { Principal, Scope } from '../core/access.ts';
import type { HttpEnv } from './env.ts';

/** `job`: a job token is enough, for its own job. */
export type Rule = { scope: Scope; job: boolean };

const BEARER = 'bearer';
const SESSION = 'session';
const JOB_TOKEN = 'job_token';

/** The `security` of a route: principals with this scope may use it, and with `orJobToken` the holders of one. */
export function needs(scope: Scope, { orJobToken = false } = {}): { [scheme: string]: string[] }[] {
  return [{ [BEARER]: [scope] }, { [SESSION]: [scope] }, ...(orJobToken ? [{ [JOB_TOKEN]: [] }] : [])];
}

/** May this principal do what the rule is about? `admin` may do everything. */
export function allows({ scope, job }: Rule, { scopes, jobId }: Principal): boolean {
  return (scopes.includes(scope) || scopes.includes('admin')) && (jobId === undefined || job);
}

/** Describes the schemes that `needs` names. */
export function describeSchemes(app: OpenAPIHono<HttpEnv>): void {
  const register = app.openAPIRegistry.registerComponent.bind(app.openAPIRegistry, 'securitySchemes');
  register(BEARER, {
    type: 'http',
    scheme: 'bearer',
    description: 'An API key, a Firebase ID token, or a token of the OIDC issuer, as `AUTH_MODE` says.',
  });
  register(SESSION, {
    ...{ type: 'apiKey', in: 'cookie', name: '__session' },
    description: 'A Firebase session cookie; requests that write have the cookie `csrftoken` in `X-CSRFToken`, too.',
  });
  register(JOB_TOKEN, {
    type: 'http',
    scheme: 'bearer',
    description: 'The `job_token` that a submit answered: for that one job, for ten minutes.',
  });
}

/** The rule of the route that a request is for, `undefined` without one; `route` is whether there is a route at all. */
export type RuleOf = (context: Context<HttpEnv>) => { route: string | undefined; rule: Rule | undefined };

/** Looks rules up in the routes that are mounted when the first request comes. */
export function rulesOf(app: OpenAPIHono<HttpEnv>): RuleOf {
  let rules: Map<string, Rule> | undefined;
  return (context) => {
    rules ??= readRules(app);
    // The first one is the one that will answer.
    const matched = matchedRoutes(context as never).find(({ method }) => method !== 'ALL');
    const route = matched && `${matched.method} ${matched.path}`;
    return { route, rule: route === undefined ? undefined : rules.get(route) };
  };
}

function readRules(app: OpenAPIHono<HttpEnv>): Map<string, Rule> {
  const rules = new Map<string, Rule>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== 'route') continue;
    const { method, path, security = [] } = definition.route;
    const scope = security.find((scheme) => BEARER in scheme)?.[BEARER]?.[0] as Scope | undefined;
    const name = `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`;
    if (scope) rules.set(name, { scope, job: security.some((scheme) => JOB_TOKEN in scheme) });
  }
  return rules;
}
