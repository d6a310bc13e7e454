/** `GET /api/llm/usage/`: what jobs used and cost, by day, model, job type or arm. */
import { createRoute, z } from '@hono/zod-openapi';
import { toUsd } from '../../shared/core/costs.ts';
import type { UsageSums } from '../../shared/core/ports.ts';
import { ARMS_MOST, USAGE_DAYS_MOST, USAGE_GROUPINGS, type UsageGrouping } from '../../shared/core/usage-report.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { needs } from '../../shared/http/rules.ts';
import { fields } from '../../shared/job-types/fields.ts';
import { always, answer, errors } from './llm-jobs-routes.ts';
import { success } from './llm-jobs-schemas.ts';
import type { SurfaceContext } from './surface.ts';

const day = z.string().openapi({ format: 'date', example: '2025-01-18' });

const sums = {
  jobs: z.int().describe('How many were submitted, whatever became of them.'),
  input_tokens: z.int(),
  output_tokens: z.int(),
  cached_input_tokens: z.int().describe('A part of `input_tokens`.'),
  reasoning_tokens: z.int().describe('A part of `output_tokens`.'),
  cost: z.number().nullable().describe('US dollars, as far as prices are known; `null`: nothing of it is.'),
  estimated_cost: z.number().describe('How much of `cost` is by estimate: providers did not say what was used.'),
  unpriced_attempts: z.int().describe('How many attempts cost what nobody knows.'),
  truncated: z.literal(true).optional().describe('There are more jobs than were counted.'),
};

const usageReport = z
  .object({
    success,
    group_by: z.enum(USAGE_GROUPINGS),
    from: day,
    to: day,
    rows: z.array(
      z.object({
        day: day.optional(),
        model: z.string().optional().describe('As requests name it; `other`: those of the catalog no more.'),
        job_type: z.string().optional().describe('`other`: those that are installed no more.'),
        arm: z
          .string()
          .optional()
          .describe(
            `As \`experiment/variant\`; \`none\`: jobs of no experiment; \`other\`: of more arms than ${ARMS_MOST}.`,
          ),
        ...sums,
      }),
    ),
    total: z.object(sums),
  })
  .openapi('UsageReport');

const GROUPINGS = `must be one of: ${USAGE_GROUPINGS.join(', ')}`;

const usageRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:read'),
  method: 'get',
  path: '/api/llm/usage',
  summary: 'What your jobs used and cost; of an administrator: those of the tenant',
  request: {
    query: fields({
      group_by: z.enum(USAGE_GROUPINGS, { error: GROUPINGS }).optional().openapi({ default: 'day' }),
      from: day
        .optional()
        .describe(`The first day on which jobs were created, of UTC; at most ${USAGE_DAYS_MOST} days.`),
      to: day.optional().describe('The last day; today when absent, and without `from` the last seven.'),
    }),
  },
  responses: {
    200: answer(usageReport, 'A row for each day, or for each model, job type or arm that was used; and all together.'),
    400: errors[400],
    ...always,
  },
});

export function mountUsage(app: HttpApp, { service }: SurfaceContext): void {
  app.openapi(usageRoute, async (context) => {
    const { group_by: groupBy = 'day', from, to } = context.req.valid('query');
    const report = await service.usage(context.get('principal'), { groupBy, from, to });
    return context.json(
      {
        ...{ success: true as const, group_by: groupBy, from: report.from, to: report.to },
        rows: report.rows.map((row) => ({ ...renderKey(groupBy, row.key), ...renderSums(row.sums) })),
        total: renderSums(report.total),
      },
      200,
    );
  });
}

function renderKey(groupBy: UsageGrouping, key: string): { [name in UsageGrouping]?: string } {
  return { [groupBy]: key };
}

function renderSums({ jobs, isTruncated, ...spent }: UsageSums) {
  // Of what has no price the sum is 0, and says nothing.
  const isUnknown = spent.unpriced > 0 && spent.nanoUsd === 0;
  return {
    jobs,
    input_tokens: spent.inputTokens,
    output_tokens: spent.outputTokens,
    cached_input_tokens: spent.cachedInputTokens,
    reasoning_tokens: spent.reasoningTokens,
    cost: isUnknown ? null : toUsd(spent.nanoUsd),
    estimated_cost: toUsd(spent.estimatedNanoUsd),
    unpriced_attempts: spent.unpriced,
    truncated: isTruncated,
  };
}
