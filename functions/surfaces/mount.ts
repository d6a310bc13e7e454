/** The public application: every surface, mounted on the common one. Adding a surface is its file and its line here. */
import { describeApp, type HttpApp, type HttpAppOptions, httpApp } from '../../shared/http/app.ts';
import { mountDocs } from '../../shared/http/docs.ts';
import { kindOf, type RequestKind } from '../../shared/http/request-kind.ts';
import { llmJobsSurface } from './llm-jobs.ts';
import { isBatch } from './llm-jobs-batch.ts';
import type { Surface, SurfaceContext } from './surface.ts';

const SURFACES: readonly Surface[] = [llmJobsSurface];

/** What a runtime gives to its public side. */
export type PublicAppOptions = Omit<SurfaceContext, 'streamMs'> &
  Pick<HttpAppOptions, 'authenticate' | 'limits' | 'log'> & {
    config: { corsOrigins: readonly string[]; authModes: readonly string[]; streamMs: number };
  };

/** The application with all routes, of which this deployment serves these kinds of requests. */
export function publicApp(options: PublicAppOptions, kinds: readonly RequestKind[]): HttpApp {
  const { service, models, jobTokens, authenticate, limits, log, config } = options;
  const serves = (method: string, path: string) => kinds.includes(kindOf(method, path));
  const allowCookies = config.authModes.includes('session-cookie');
  const allowOrigin = allowedOrigins(config);
  const app = httpApp({ authenticate, limits, log, serves, isBatch, allowOrigin, allowCookies });
  for (const mount of SURFACES) mount(app, { service, models, jobTokens, limits, streamMs: config.streamMs });
  describeApp(app, {
    title: 'llm-jobs',
    version: '0.1.0',
    description: 'Durable LLM jobs: submit a job, poll it to its result.',
  });
  mountDocs(app);
  return app;
}

function allowedOrigins({ corsOrigins, authModes }: PublicAppOptions['config']): (origin: string) => boolean {
  const localhost = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
  return (origin) =>
    corsOrigins.includes(origin) || (authModes.length === 0 && corsOrigins.length === 0 && localhost.test(origin));
}
