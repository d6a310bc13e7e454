/** `DELETE /api/llm/users/{user_id}/`: erases a person's jobs. */
import { createRoute, z } from '@hono/zod-openapi';
import type { HttpApp } from '../../shared/http/app.ts';
import { decodeCursor, encodeCursor } from '../../shared/http/cursor.ts';
import { needs } from '../../shared/http/rules.ts';
import { fields } from '../../shared/job-types/fields.ts';
import { always, answer, errors } from './llm-jobs-routes.ts';
import { success } from './llm-jobs-schemas.ts';
import type { SurfaceContext } from './surface.ts';

const erasedUser = z
  .object({
    success,
    user_id: z.string(),
    deleted: z.int().describe('How many jobs this request deleted.'),
    complete: z.boolean().describe('No job of this user is left that was there when the first request began.'),
    next_cursor: z.string().optional().describe('Where the next request goes on; absent when `complete`.'),
  })
  .openapi('ErasedUser');

const eraseUserRoute = createRoute({
  tags: ['Jobs API'],
  security: needs('jobs:write'),
  method: 'delete',
  path: '/api/llm/users/{user_id}',
  summary: 'Erase a person: every job of a user is deleted, up to 500 with each request',
  request: {
    params: z.object({ user_id: z.string().describe('Percent-encoded.') }),
    query: fields({ cursor: z.string().optional().describe('`next_cursor` of the answer before.') }),
  },
  responses: {
    200: answer(erasedUser, 'What was deleted; repeat with `next_cursor` until `complete`.'),
    400: errors[400],
    ...always,
    403: answer(errors[403].content['application/json'].schema, 'Only an administrator, or this user, may.'),
  },
});

export function mountUsers(app: HttpApp, { service }: SurfaceContext): void {
  app.openapi(eraseUserRoute, async (context) => {
    const principal = context.get('principal');
    const { user_id } = context.req.valid('param');
    const { cursor } = context.req.valid('query');
    const list = { tenant: principal.tenant, user: user_id, act: 'erase' };
    const after = cursor === undefined ? undefined : await decodeCursor(cursor, list);
    const { deleted, next } = await service.eraseUser(principal, user_id, after);
    return context.json(
      {
        ...{ success: true as const, user_id, deleted, complete: next === undefined },
        next_cursor: next && (await encodeCursor(next, list)),
      },
      200,
    );
  });
}
