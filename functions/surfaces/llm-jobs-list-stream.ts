/** `GET /api/llm/jobs/stream/`: the newest jobs of a list as server-sent events. */
import type { ListEvent } from '../../shared/core/list-stream.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { encodeCursor } from '../../shared/http/cursor.ts';
import { answerStream, type ServerSentEvent } from '../../shared/http/sse.ts';
import { filtersOf, listOf } from './llm-jobs-lists.ts';
import { listStreamRoute } from './llm-jobs-lists-routes.ts';
import { renderJob } from './llm-jobs-view.ts';
import type { SurfaceContext } from './surface.ts';

const LIMIT = 50;

export function mountListStream(app: HttpApp, { service, models, streamMs }: SurfaceContext): void {
  app.openapi(listStreamRoute, (context) => {
    const query = context.req.valid('query');
    const principal = context.get('principal');
    const filters = filtersOf(models, query);
    const list = listOf(principal, filters);

    async function* rendered(events: AsyncIterable<ListEvent>): AsyncIterable<ServerSentEvent> {
      for await (const event of events) {
        const jobs = event.jobs.map((seen) => renderJob(seen));
        const more =
          event.type === 'jobs'
            ? { gone: event.gone }
            : { next_cursor: event.next && (await encodeCursor(event.next, list)) };
        yield { event: event.type, data: { jobs, ...more } };
      }
    }

    const open = (signal: AbortSignal) =>
      service.streamList(principal, { ...filters, limit: query.limit ?? LIMIT }, signal);
    return answerStream(context, open, rendered, streamMs);
  });
}
