/** A path that is there, asked by a method that is not: 405, which says what is. */
import type { Context, Hono, MiddlewareHandler } from 'hono';
import { methodNotAllowed } from 'hono/method-not-allowed';
import { ServiceError } from '../core/errors.ts';
import type { HttpEnv } from './env.ts';

/** In the words of whoever the request is for. */
export function refuseOtherMethods(
  app: Hono<HttpEnv>,
  renderError: (context: Context<HttpEnv>, error: ServiceError) => Response,
): MiddlewareHandler {
  return methodNotAllowed({
    app,
    onMethodNotAllowed: (context, allowed) => {
      context.header('Allow', allowed.join(', '));
      const sentence = `${context.req.method} is not allowed here; allowed: ${allowed.join(', ')}.`;
      return renderError(context as never, new ServiceError('method_not_allowed', sentence));
    },
  });
}
