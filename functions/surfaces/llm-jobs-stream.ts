/** `GET /api/llm/jobs/{job_id}/stream/`: a job as server-sent events. */
import type { Seen } from '../../shared/core/access.ts';
import type { StreamEvent } from '../../shared/core/stream.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { answerStream, cursorOf, type ServerSentEvent } from '../../shared/http/sse.ts';
import { sharedJson } from './llm-jobs-ended-view.ts';
import { streamRoute } from './llm-jobs-routes.ts';
import { renderJob, renderProgress } from './llm-jobs-view.ts';
import type { SurfaceContext } from './surface.ts';

export function mountStream(app: HttpApp, { service, streamMs }: SurfaceContext): void {
  app.openapi(streamRoute, (context) => {
    const { job_id } = context.req.valid('param');
    const open = (signal: AbortSignal) => service.stream(context.get('principal'), job_id, cursorOf(context), signal);
    return answerStream(context, open, rendered, streamMs);
  });
}

async function* rendered(events: AsyncIterable<StreamEvent>): AsyncIterable<ServerSentEvent> {
  for await (const event of events) yield render(event);
}

function render(event: StreamEvent): ServerSentEvent {
  switch (event.type) {
    case 'snapshot':
      return { event: 'snapshot', id: event.id, data: { ...renderJob(event.seen), partial_result: event.text } };
    case 'delta':
      return { event: 'delta', id: event.id, data: { text: event.text } };
    case 'reset':
      return { event: 'reset', id: event.id, data: { attempt: event.attempt } };
    case 'status':
      return { event: 'status', data: renderJob(event.seen) };
    case 'progress':
      return { event: 'progress', data: renderProgress(event.seen) };
    case 'done':
      return { event: 'done', id: event.id, ...doneIn(event.seen) };
  }
}

function doneIn(seen: Seen): { json: string } | { data: unknown } {
  const json = sharedJson(seen);
  return json === undefined ? { data: renderJob(seen) } : { json };
}
