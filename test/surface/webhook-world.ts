/** The application and a worker on virtual time, with webhooks that are judged as ever, and whose receivers answer as the test says. */
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import { webhookSender } from '../../shared/adapters/webhook-sender.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { EventsTopic, NoticeMessage, Sent, WebhookSender } from '../../shared/core/notices.ts';
import { jobService } from '../../shared/core/service.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { callsOf } from '../support/app.ts';
import { ADA, coreWorld, type Generate, NO_PROVIDERS, NO_RETRY } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

export const DELIVERED: Sent = { delivered: true, ms: 12, status: 204 };
export const WEBHOOK_SECRET = 'whsec_bmV3IHNlY3JldCBvZiB0d2VudHktZm91ciBieXRlcyEh';
export const HOOK = 'https://hooks.example.com/jobs';

export type WebhookWorldOptions = {
  /** Where webhooks may go; anywhere when absent. */
  hosts?: string[];
  allowPrivate?: boolean;
  /** What the model does; it answers at once when absent. */
  generate?: Generate;
  eventsTopic?: EventsTopic;
};

/** `answers` are of the next calls, in order; all others are taken in. */
export function openWebhookWorld({ generate, eventsTopic, hosts = [], allowPrivate = true }: WebhookWorldOptions = {}) {
  const world = coreWorld(generate, NO_RETRY);
  const answers: (Sent | (() => Promise<Sent>))[] = [];
  const sent: { tenant: string; url: string; message: NoticeMessage }[] = [];
  const webhooks: WebhookSender = {
    ...webhookSender({ secrets: [WEBHOOK_SECRET], hosts, allowPrivate, clock: world.clock }),
    send: async (target, message) => {
      sent.push({ ...target, message });
      const answer = answers.shift() ?? DELIVERED;
      return typeof answer === 'function' ? answer() : answer;
    },
  };
  const models = modelCatalog({ ...NO_PROVIDERS, clock: world.clock });
  const service = jobService({ ...world, models, webhooks, eventsTopic, wakeShards: 1 });
  const worker = world.anotherWorker({ webhooks, eventsTopic, renderJob });
  const as = (principal: Principal) => callsOf(appOver(world, { service, authenticate: alwaysAs(principal) }));

  return {
    ...world,
    service,
    answers,
    sent,
    /** Calls as somebody. */
    as,
    api: as(ADA),
    /** Runs a job, or tells whom it has to tell: what its doorbell does. */
    doorbell: (id: string) => world.clock.until(worker.run({ tenant: ADA.tenant, id })),
    stored: async (id: string) => (await world.store.get({ tenant: ADA.tenant, id }))?.job,
    close() {
      service.close();
      worker.close();
      world.close();
    },
  };
}
