/**
 * The port of a surface: one contract's routes, mounted on the common application. A surface translates: it parses a
 * request into a submission and renders a job in its contract's words. It reaches jobs through the service alone.
 */
import type { ModelCatalog } from '../../shared/core/llm.ts';
import type { JobService } from '../../shared/core/service.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import type { JobTokens } from '../../shared/http/job-tokens.ts';
import type { Limits } from '../../shared/http/limits.ts';

export type SurfaceContext = {
  service: JobService;
  models: ModelCatalog;
  /** Absent where none are issued. */
  jobTokens: JobTokens | undefined;
  limits: Limits;
  /** How long a stream is kept open. */
  streamMs: number;
};

export type Surface = (app: HttpApp, context: SurfaceContext) => void;
