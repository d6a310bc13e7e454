/** The models over `/api/llm`: what each can do, what it takes, and whether it can be used now. */
import { createRoute, z } from '@hono/zod-openapi';
import type { Availability, ListedModel, ListedParameter } from '../../shared/core/llm.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { needs } from '../../shared/http/rules.ts';
import { always, answer } from './llm-jobs-routes.ts';
import { success } from './llm-jobs-schemas.ts';
import type { SurfaceContext } from './surface.ts';

const capabilities = z
  .object({
    supports_streaming: z.boolean(),
    supports_vision: z.boolean(),
    supports_reasoning: z.boolean(),
    supports_verbosity: z.boolean(),
    supports_file_search: z.boolean(),
    supports_tools: z.boolean(),
    supports_structured_output: z.boolean(),
    supports_background: z.boolean(),
  })
  .openapi('ModelCapabilities');

const parameter = z
  .object({
    name: z.string().openapi({ example: 'temperature' }),
    type: z.enum(['float', 'int', 'enum']),
    min_value: z.number().optional(),
    max_value: z.number().optional(),
    allowed_values: z.array(z.string()).optional(),
    default_value: z
      .union([z.number(), z.string()])
      .optional()
      .describe('What its vendor takes where a request says nothing, if that is known.'),
  })
  .openapi('ModelParameter');

const modelList = z
  .object({
    success,
    models: z.array(
      z.object({
        id: z.uuid(),
        name: z.string(),
        model: z.string(),
        provider: z.string(),
        runs_as: z.string().optional(),
        available: z.boolean(),
        unavailable_reason: z.string().optional(),
        capabilities,
        parameters: z.array(parameter).describe('What it takes beside a prompt; it does not take what is not here.'),
      }),
    ),
  })
  .openapi('ModelList');

const modelsRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/models',
  summary: 'The models that jobs can run on',
  responses: { 200: answer(modelList, 'All models, and whether each can be used now.'), ...always },
});

export function mountModels(app: HttpApp, { models }: SurfaceContext): void {
  app.openapi(modelsRoute, (context) => {
    const rows = models.list().map((listed) => renderListed(listed, models.availability(listed.runs)));
    return context.json({ success: true as const, models: rows }, 200);
  });
}

function renderListed({ reference, runs, capabilities, parameters }: ListedModel, availability: Availability) {
  const can = (capability: string) => capabilities[capability] ?? false;
  return {
    ...{ id: runs.id, name: runs.name, model: reference, provider: runs.provider },
    runs_as: runs.model === reference ? undefined : runs.model,
    available: availability.available,
    unavailable_reason: availability.available ? undefined : availability.reason,
    capabilities: {
      supports_streaming: can('supportsStreaming'),
      supports_vision: can('supportsVision'),
      supports_reasoning: can('supportsReasoning'),
      supports_verbosity: can('supportsVerbosity'),
      supports_file_search: can('supportsFileSearch'),
      supports_tools: can('supportsTools'),
      supports_structured_output: can('supportsStructuredOutput'),
      supports_background: can('supportsBackground'),
    },
    parameters: parameters.map(renderParameter),
  };
}

function renderParameter({ name, type, minValue, maxValue, allowedValues, defaultValue }: ListedParameter) {
  return {
    ...{ name, type, min_value: minValue, max_value: maxValue },
    allowed_values: allowedValues && [...allowedValues],
    default_value: defaultValue,
  };
}
