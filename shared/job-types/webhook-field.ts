/** What a submission may say of whom to tell: where its webhook is, which events it gets, and what is in them. */
import { z } from 'zod';
import { NOTICE_TYPES, type NoticeType, type Webhook } from '../core/notices.ts';
import type { SubmissionExtras } from '../core/submitting.ts';
import { fields } from './fields.ts';

const URL_RULE = 'must be an http or https URL of at most 2048 characters';
/** Also what `URL` would mend without a word, such as blanks around it, is none. */
const URL_TEXT = /^(?=.{1,2048}$)[Hh][Tt]{2}[Pp][Ss]?:\/\/\S+$/;

/** An event by its name on the wire, `job.` before it. */
export const EVENT_TYPES = NOTICE_TYPES.map((type) => `job.${type}` as const);
type EventType = (typeof EVENT_TYPES)[number];
const ENDS: readonly EventType[] = ['job.completed', 'job.failed', 'job.cancelled'];

const eventType = z.enum(EVENT_TYPES);
const EVENTS_RULE = `must hold 1 to ${EVENT_TYPES.length} events`;

function checkEvents(events: readonly EventType[], context: z.core.$RefinementCtx): void {
  if (events.length < 1 || events.length > EVENT_TYPES.length) {
    context.addIssue({ code: 'custom', message: EVENTS_RULE });
    return;
  }
  for (const [index, event] of events.entries()) {
    const first = events.indexOf(event);
    if (first === index) continue;
    context.addIssue({ code: 'custom', path: [index], message: `is webhook.events.${first} already; leave it out` });
  }
}

/** Whom any submission may have told of its job. */
export const webhookFields = {
  webhook: fields({
    url: z
      .string()
      .regex(URL_TEXT, { error: URL_RULE, abort: true })
      .refine((url) => URL.canParse(url), { error: URL_RULE })
      .describe('Where events are sent to, by POST. Its answer is 2xx within 15 seconds; a redirect is not followed.'),
    events: z
      .array(eventType)
      // Not `min` and `max`, which look at text, too.
      .superRefine(checkEvents)
      .meta({
        ...{ minItems: 1, maxItems: EVENT_TYPES.length, uniqueItems: true },
        description: 'Which events; the three ends of a job when absent.',
      })
      .optional(),
    include: z
      .literal('job')
      .describe('The event of the end has the job in it, as its status shows it, where that makes no more than 20 kB.')
      .optional(),
  })
    .describe('Who is told what becomes of the job, as Standard Webhooks has it.')
    .optional(),
};

type WebhookFields = { [field in keyof typeof webhookFields]?: z.infer<(typeof webhookFields)[field]> };

/** Whom a body wants told, as the core takes it; what means the same is the same, also to a repeat. */
export function toWebhook({ webhook }: WebhookFields): Pick<SubmissionExtras, 'webhook'> {
  if (!webhook) return {};
  const { url, events = ENDS, include } = webhook;
  const wanted: Webhook = { url, events: NOTICE_TYPES.filter((type) => events.includes(`job.${type}`)) };
  return { webhook: include === undefined ? wanted : { ...wanted, include } };
}

/** As it is on the wire. */
export function eventTypeOf(type: NoticeType): EventType {
  return `job.${type}`;
}
