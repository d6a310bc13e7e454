/** What a request body must be before any route looks at it: JSON, not too large, storable. */
import type { MiddlewareHandler } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { invalidRequest, ServiceError } from '../core/errors.ts';
import type { Json } from '../core/job.ts';
import { INPUT_BYTES_MOST } from '../core/service.ts';
import { findUnstorable } from './field-errors.ts';

/** Room for the fields around the input, and for an input whose JSON is written with escapes. */
const BODY_BYTES_MOST = 2 * INPUT_BYTES_MOST;

const limitBody = bodyLimit({
  maxSize: BODY_BYTES_MOST,
  onError: () => {
    throw new ServiceError('input_too_large', `The body is larger than ${BODY_BYTES_MOST} bytes.`);
  },
});

/** Refuses a body that is not JSON (415), too large (413), malformed or not storable (400). No body is no error here. */
export const checkBody: MiddlewareHandler = async (context, next) => {
  if (!hasBody(context.req.raw)) return next();
  const type = context.req.header('content-type') ?? '';
  if (!/^application\/(json|[\w.+-]+\+json)\s*(;|$)/i.test(type)) {
    throw new ServiceError('unsupported_media_type', 'The body must be JSON, with Content-Type: application/json.');
  }
  return limitBody(context, async () => {
    const wrong = findUnstorable(parseBody(await context.req.arrayBuffer()));
    if (wrong) throw invalidRequest([wrong]);
    await next();
  });
};

function hasBody(request: Request): boolean {
  if (request.method === 'GET' || request.method === 'HEAD') return false;
  return request.headers.has('transfer-encoding') || Number(request.headers.get('content-length') ?? 0) > 0;
}

/** Bytes that are no UTF-8 are refused, not replaced: the model would be asked something else. */
function parseBody(bytes: ArrayBuffer): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
  } catch (cause) {
    const what = cause instanceof SyntaxError ? 'JSON' : 'UTF-8';
    throw new ServiceError('invalid_request', `The body is not valid ${what}.`, { cause });
  }
}
