/** The application and a worker on virtual time, with webhooks whose receivers answer as the test says. */
import { renderJob } from '../../functions/surfaces/llm-jobs-view.ts';
import type { Principal } from '../../shared/core/access.ts';
import type { EventsTopic, NoticeMessage, Sent, WebhookSender } from '../../shared/core/notices.ts';
import { jobService } from '../../shared/core/service.ts';
import { alwaysAs } from '../../shared/http/auth.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { callsOf } from '../support/app.ts';
import { ADA, coreWorld, type Generate, NO_PROVIDERS, NO_RETRY } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

export const DELIVERED: Sent = { delivered: true, ms: 12, status: 204 };
export const HOOK = 'https://hooks.example.com/jobs';

export type WebhookWorldOptions = {
  refusalOf?: WebhookSender['refusalOf'];
  /** What the model does; it answers at once when absent. */
  generate?: Generate;
  eventsTopic?: EventsTopic;
};

/** `answers` are of the next calls, in order; all others are taken in. */
export function openWebhookWorld({ refusalOf = () => undefined, generate, eventsTopic }: WebhookWorldOptions = {}) {
  const world = coreWorld(generate, NO_RETRY);
  const answers: (Sent | (() => Promise<Sent>))[] = [];
  const sent: { tenant: string; url: string; message: NoticeMessage }[] = [];
  const webhooks: WebhookSender = {
    refusalOf,
    send: async (target, message) => {
      sent.push({ ...target, message });
      const answer = answers.shift() ?? DELIVERED;
      return typeof answer === 'function' ? answer() : answer;
    },
    secretsOf: (tenant) => [`whsec_of_${tenant}`],
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
