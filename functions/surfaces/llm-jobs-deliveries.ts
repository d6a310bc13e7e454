/** What goes out of jobs over `/api/llm`: the log of deliveries, sending again, and what verifies signatures. */
import type { Seen } from '../../shared/core/access.ts';
import type { Job } from '../../shared/core/job.ts';
import { eventIdOf } from '../../shared/core/notice-message.ts';
import type { Delivery, Notice, Outbox } from '../../shared/core/notices.ts';
import { isBeingTold } from '../../shared/core/outbox.ts';
import { toTime } from '../../shared/core/utc.ts';
import type { HttpApp } from '../../shared/http/app.ts';
import { eventTypeOf } from '../../shared/job-types/webhook-field.ts';
import { describeEvents } from './llm-jobs-deliveries-events.ts';
import { deliveriesRoute, redeliverRoute, secretsRoute } from './llm-jobs-deliveries-routes.ts';
import type { SurfaceContext } from './surface.ts';

export function mountDeliveries(app: HttpApp, { service }: SurfaceContext): void {
  app.openapi(deliveriesRoute, async (context) => {
    const seen = await service.deliveries(context.get('principal'), context.req.valid('param').job_id);
    return context.json(await renderDeliveries(seen), 200);
  });

  app.openapi(redeliverRoute, async (context) => {
    const seen = await service.redeliver(context.get('principal'), context.req.valid('param').job_id);
    return context.json(await renderDeliveries(seen), 202);
  });

  app.openapi(secretsRoute, (context) => {
    const secrets = service.webhookSecrets(context.get('principal'));
    return context.json({ success: true as const, secrets }, 200);
  });

  describeEvents(app);
}

async function renderDeliveries({ job, nowMs }: Seen) {
  const { webhook, outbox, deliveries = [] } = job;
  const pending = (outbox?.notices ?? []).filter(({ to }) => to.includes('webhook'));
  const isPending = outbox !== undefined && pending.length > 0;
  return {
    success: true as const,
    job_id: job.id,
    webhook: webhook && { ...webhook, events: webhook.events.map(eventTypeOf) },
    pending: await Promise.all(pending.map((notice) => renderNotice(job, notice))),
    next_try_at: isPending && !isBeingTold(outbox, nowMs) ? toTime(nextTryAt(outbox)) : undefined,
    tries: isPending ? outbox.tries : undefined,
    given_up: !isPending && deliveries.at(-1)?.failure !== undefined ? (true as const) : undefined,
    deliveries: await Promise.all(deliveries.toReversed().map((delivery) => renderDelivery(job, delivery))),
  };
}

/** What is due for others may be due sooner. */
function nextTryAt({ dueAt, patientUntil = 0 }: Outbox): number {
  return Math.max(dueAt, patientUntil);
}

async function renderDelivery(job: Job, delivery: Delivery) {
  const { triedAt, ms, status, failure, message } = delivery;
  return {
    ...(await renderNotice(job, delivery)),
    tried_at: toTime(triedAt),
    duration_ms: ms,
    outcome: failure === undefined ? ('delivered' as const) : ('failed' as const),
    ...{ status, reason: failure, message },
  };
}

async function renderNotice(job: Job, notice: Notice) {
  const { type, version, happenedAt } = notice;
  return {
    event_id: await eventIdOf(job, notice),
    type: eventTypeOf(type),
    version,
    happened_at: toTime(happenedAt),
  };
}
