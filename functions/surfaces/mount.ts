/** The public application: every surface, mounted on the common one. Adding a surface is its file and its line here. */

import { describeApp, type HttpApp, httpApp } from '../../shared/http/app.ts';
import { mountDocs } from '../../shared/http/docs.ts';
import type { Runtime } from '../../shared/runtime.ts';
import { llmJobsSurface } from './llm-jobs.ts';
import type { Surface } from './surface.ts';

const SURFACES: readonly Surface[] = [llmJobsSurface];

export const READS = ['GET'] as const;
export const WRITES = ['POST', 'PUT', 'DELETE'] as const;

/** The application with all routes, of which this deployment serves the given methods. */
export function publicApp(runtime: Runtime, methods: readonly string[]): HttpApp {
  const { authenticate, log, config } = runtime;
  const app = httpApp({ authenticate, log, methods, allowOrigin: allowedOrigins(config) });
  for (const mount of SURFACES) mount(app, runtime);
  describeApp(app, {
    title: 'llm-jobs',
    version: '0.1.0',
    description: 'Durable LLM jobs: submit a job, poll it to its result.',
  });
  mountDocs(app);
  return app;
}

function allowedOrigins({ corsOrigins, authMode }: Runtime['config']): (origin: string) => boolean {
  const localhost = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
  return (origin) =>
    corsOrigins.includes(origin) || (authMode === 'none' && corsOrigins.length === 0 && localhost.test(origin));
}
