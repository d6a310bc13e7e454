/** The public application: every surface, mounted on the common one. Adding a surface is its file and its line here. */
import { ServiceError } from '../../shared/core/errors.ts';
import { describeApp, type HttpApp, type HttpAppOptions, httpApp } from '../../shared/http/app.ts';
import { mountClientScript } from '../../shared/http/client-script.ts';
import { mountConsole } from '../../shared/http/console.ts';
import { mountDocs } from '../../shared/http/docs.ts';
import { renderError } from '../../shared/http/errors.ts';
import { kindOf, type RequestKind } from '../../shared/http/request-kind.ts';
import { llmJobsSurface } from './llm-jobs.ts';
import { promptGenerationSurface } from './prompt-generation.ts';
import { streamingJobsSurface } from './streaming-jobs.ts';
import { structuredExtractionSurface } from './structured-extraction.ts';
import type { Surface, SurfaceContext } from './surface.ts';

const SURFACES: readonly Surface[] = [
  llmJobsSurface,
  streamingJobsSurface,
  structuredExtractionSurface,
  promptGenerationSurface,
];
const SIMULATED = 'simulated';

/** What a runtime gives to its public side. */
export type PublicAppOptions = Omit<SurfaceContext, 'streamMs' | 'defaultModels' | 'shareMs'> &
  Pick<HttpAppOptions, 'authenticate' | 'limits' | 'log' | 'tracing'> & { config: PublicConfig };

type PublicConfig = {
  corsOrigins: readonly string[];
  authModes: readonly string[];
  streamMs: number;
  surfaces: readonly string[];
  console: boolean;
  openaiModel: string;
  promptGenerationModel: string;
  allowSimulated: boolean;
  shareSeconds: number;
};

/** The application with all routes, of which this deployment serves these kinds of requests. */
export function publicApp(options: PublicAppOptions, kinds: readonly RequestKind[]): HttpApp {
  const { service, models, jobTokens, authenticate, limits, log, tracing, config } = options;
  const surfaces = SURFACES.filter(({ name }) => config.surfaces.includes(name));
  // Also of one that is not served here: its clients understand no other words for "not found".
  const ownerOf = (path: string) => SURFACES.find((surface) => surface.owns(path));
  const app = httpApp({
    ...{ authenticate, limits, log, tracing },
    serves: (method, path) => kinds.includes(kindOf(method, path)),
    isBatch: (request) => ownerOf(request.path)?.isBatch?.(request) ?? false,
    renderError: (context, error) => (ownerOf(context.req.path)?.renderError ?? renderError)(context, error),
    allowOrigin: allowedOrigins(config),
    allowCookies: config.authModes.includes('session-cookie'),
  });
  const context: SurfaceContext = {
    ...{ service, models, jobTokens, limits, streamMs: config.streamMs, shareMs: config.shareSeconds * 1_000 },
    defaultModels: {
      extraction: () => defaultModel(options, 'OPENAI_MODEL', config.openaiModel),
      promptGeneration: () => defaultModel(options, 'PROMPT_GENERATION_MODEL', config.promptGenerationModel),
    },
  };
  for (const { mount } of surfaces) mount(app, context);
  describeApp(app, {
    title: 'llm-jobs',
    version: '0.1.0',
    description: 'Durable LLM jobs: submit a job, poll it to its result.',
  });
  mountDocs(app);
  mountClientScript(app);
  if (config.console) mountConsole(app);
  return app;
}

/** The model that a setting names; one without a key is only tried out. */
function defaultModel({ models, config }: PublicAppOptions, setting: string, reference: string): string {
  const model = models.find(reference);
  // The caller named none, and cannot mend it.
  if (!model) throw new ServiceError('model_unavailable', `There is no model "${reference}" (${setting}).`);
  return config.allowSimulated && !models.availability(model).available ? SIMULATED : reference;
}

function allowedOrigins({ corsOrigins, authModes }: PublicConfig): (origin: string) => boolean {
  const localhost = /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;
  return (origin) =>
    corsOrigins.includes(origin) || (authModes.length === 0 && corsOrigins.length === 0 && localhost.test(origin));
}
