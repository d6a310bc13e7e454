/** What is looked at of a body before its fields are. */
import type { MiddlewareHandler } from 'hono';
import { invalidRequest } from '../../shared/core/errors.ts';
import { findUnstorable } from '../../shared/core/field-errors.ts';
import { hasBody } from '../../shared/http/body.ts';
import { renderNoBody } from './structured-extraction-errors.ts';

/** Says that the body is missing, instead of which fields are. */
export const bodyNeeded: MiddlewareHandler = async (context, next) => {
  const isThere = hasBody(context.req.raw) && (await context.req.json()) !== null;
  return isThere ? next() : renderNoBody(context);
};

/** What every other body was looked through for at the door (`isBatch`). */
export const storableBatch: MiddlewareHandler = async (context, next) => {
  const wrong = findUnstorable(await context.req.json());
  if (wrong) throw invalidRequest([wrong]);
  return next();
};
