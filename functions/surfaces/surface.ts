/**
 * The port of a surface: one contract's routes, mounted on the common application. A surface translates: it parses a
 * request into a submission and renders a job in its contract's words. It reaches jobs through the service alone.
 */
import type { Context } from 'hono';
import type { ServiceError } from '../../shared/core/errors.ts';
import type { ModelCatalog } from '../../shared/core/llm.ts';
import type { JobService } from '../../shared/core/service.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import type { HttpEnv } from '../../shared/http/env.ts';
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
  /** The models of contracts that name none, by a reference that can be submitted. Throw `model_unavailable` where there is none. */
  defaultModels: { extraction(): string; promptGeneration(): string };
  /** For how long equal submissions of a user share a job, where a contract has that; 0: never. */
  shareMs: number;
};

export type Surface = {
  /** As `SURFACES` names it. */
  name: string;
  /** Does a request for this path, be there such a route or not, mean this contract? Its errors are in its words then. */
  owns(path: string): boolean;
  mount(app: HttpApp, context: SurfaceContext): void;
  /** An error in its contract's words, whoever threw it. */
  renderError(context: Context<HttpEnv>, error: ServiceError): Response;
  /** Does the body of such a request hold many, each judged on its own by the route? */
  isBatch?(request: { method: string; path: string }): boolean;
};
