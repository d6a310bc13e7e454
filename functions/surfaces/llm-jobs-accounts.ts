/** `/api/llm/accounts/{user_id}/`: what a user may use, where credits are on. */
import { createRoute, z } from '@hono/zod-openapi';
import { GRANT_MOST } from '../../shared/core/account-keeping.ts';
import {
  availableTokens,
  BUDGET_PERIODS,
  periodEndsAt,
  periodSums,
  type StoredAccount,
  SUBSCRIPTIONS,
} from '../../shared/core/accounts.ts';
import { toNanoUsd, toUsd } from '../../shared/core/costs.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { parseIdempotencyKey } from '../../shared/http/idempotency.ts';
import { needs } from '../../shared/http/rules.ts';
import { fields } from '../../shared/job-types/fields.ts';
import { always, answer, body, errors } from './llm-jobs-routes.ts';
import { errorBody, keyHeaders, success } from './llm-jobs-schemas.ts';
import type { SurfaceContext } from './surface.ts';

const USD_MOST = 1_000_000;
const SUBSCRIPTION = `must be one of: ${SUBSCRIPTIONS.join(', ')}`;
const PERIOD = `must be one of: ${BUDGET_PERIODS.join(', ')}`;
/** What is kept is whole nano-dollars. */
const USD_LEAST = toUsd(1);
const MAX_COST = `must be a number of US dollars from ${USD_LEAST.toFixed(9)} to ${USD_MOST}`;
const TOKENS = `must be a whole number other than 0, from -${GRANT_MOST} to ${GRANT_MOST}`;

const subscription = z.enum(SUBSCRIPTIONS, { error: SUBSCRIPTION });
const period = z.enum(BUDGET_PERIODS, { error: PERIOD }).describe('Of UTC.');

const accountView = z
  .object({
    success,
    user_id: z.string(),
    subscription,
    balance: z
      .int()
      .describe('Tokens granted minus tokens charged; below 0 after a call that used more than was reserved.'),
    reserved: z.int().describe('Tokens that jobs hold that are not over.'),
    available: z.int().describe('Tokens that the next job can reserve.'),
    charged: z.object({ tokens: z.int(), cost: z.number().describe('US dollars, as far as prices are known.') }),
    budget: z
      .object({
        max_cost: z.number().describe('US dollars.'),
        period,
        spent: z.number().describe('By jobs that are over and began in this period.'),
        resets_at: z.string().openapi({ format: 'date-time' }),
      })
      .optional(),
  })
  .openapi('Account');

const params = z.object({ user_id: z.string().describe('Percent-encoded.') });
const responses = {
  200: answer(accountView, 'The account.'),
  400: errors[400],
  404: answer(errorBody, 'There is no such account.'),
  409: answer(errorBody, 'Credits are off, or something else was granted under this key.'),
  ...{ 413: errors[413], 415: errors[415] },
  ...always,
};
const { 413: _tooLarge, 415: _notJson, ...readResponses } = responses;

const route = {
  tags: ['Jobs API'],
  path: '/api/llm/accounts/{user_id}',
};

const readRoute = createRoute({
  ...{ ...route, security: needs('jobs:read'), method: 'get' },
  summary: 'Your account; of an administrator: any in the tenant',
  request: { params },
  responses: readResponses,
});

const putRoute = createRoute({
  ...{ ...route, security: needs('admin'), method: 'put' },
  summary: 'Create an account, or change its subscription and budget; its tokens stay as they are',
  request: {
    params,
    body: body(
      fields({
        subscription,
        budget: fields({
          max_cost: z
            .number({ error: MAX_COST })
            .min(USD_LEAST, { error: MAX_COST })
            .max(USD_MOST, { error: MAX_COST }),
          period,
        })
          .optional()
          .describe('How much all jobs together may cost in each period; without it there is no such limit.'),
      }),
    ),
  },
  responses,
});

const grantRoute = createRoute({
  ...{ ...route, security: needs('admin'), method: 'post', path: '/api/llm/accounts/{user_id}/grant' },
  summary: 'Add tokens to an account, or take them away, once for each `Idempotency-Key`',
  request: {
    params,
    headers: keyHeaders,
    body: body(
      fields({
        tokens: z
          .int({ error: TOKENS })
          .min(-GRANT_MOST, { error: TOKENS })
          .max(GRANT_MOST, { error: TOKENS })
          .refine((tokens) => tokens !== 0, { error: TOKENS }),
      }),
    ),
  },
  responses,
});

export function mountAccounts(app: HttpApp, { service: { accounts } }: SurfaceContext): void {
  app.openapi(readRoute, async (context) => {
    const { user_id } = context.req.valid('param');
    return context.json(renderAccount(await accounts.account(context.get('principal'), user_id)), 200);
  });

  app.openapi(putRoute, async (context) => {
    const { user_id } = context.req.valid('param');
    const { budget, ...settings } = context.req.valid('json');
    const kept = budget && { nanoUsd: toNanoUsd(budget.max_cost), period: budget.period };
    const stored = await accounts.setAccount(context.get('principal'), user_id, { ...settings, budget: kept });
    return context.json(renderAccount(stored), 200);
  });

  app.openapi(grantRoute, async (context) => {
    const { user_id } = context.req.valid('param');
    const { tokens } = context.req.valid('json');
    const key = parseIdempotencyKey(context.req.header('idempotency-key'));
    const stored = await accounts.grantTokens(context.get('principal'), user_id, { key, tokens });
    return context.json(renderAccount(stored), 200);
  });
}

function renderAccount({ account, readAtMs }: StoredAccount) {
  const { user, subscription, balance, reserved, charged, budget } = account;
  return {
    ...{ success: true as const, user_id: user, subscription, balance, reserved: reserved.tokens },
    available: availableTokens(account),
    charged: { tokens: charged.tokens, cost: toUsd(charged.nanoUsd) },
    budget: budget && {
      ...{ max_cost: toUsd(budget.nanoUsd), period: budget.period },
      spent: toUsd(periodSums(account, budget.period, readAtMs).charged),
      resets_at: new Date(periodEndsAt(budget.period, readAtMs)).toISOString(),
    },
  };
}
