/** The console alone, for a function that serves nothing else: it has no store, no secrets, and nobody to recognise. */
import { Hono } from 'hono';
import { requestId } from 'hono/request-id';
import { ServiceError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { mountConsole, type ReadConsole } from './console.ts';
import type { HttpEnv } from './env.ts';
import { renderError, toServiceError } from './errors.ts';
import { refuseOtherMethods } from './methods.ts';
import { securityHeaders } from './pages.ts';
import { logFailure } from './stray-failures.ts';

/** The application with the console's page and files, and `GET /health`. */
export function consoleApp({ log, read }: { log: Log; read?: ReadConsole }): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>({ strict: false });
  app.onError((thrown, context) => {
    const error = toServiceError(thrown);
    if (error.code === 'internal_error') logFailure(log, 'request-failed', thrown);
    return renderError(context, error);
  });
  app.notFound((context) =>
    renderError(context, new ServiceError('route_not_found', `There is no ${context.req.method} ${context.req.path}.`)),
  );
  app.use(requestId());
  app.use(securityHeaders);
  app.use(refuseOtherMethods(app, renderError));
  app.use((context, next) => {
    context.header('Cache-Control', 'no-store');
    return next();
  });
  app.get('/health', (context) => context.json({ status: 'ok' }));
  mountConsole(app, read);
  return app;
}
