/** What others are told of a job: the words, and the ports by which it goes out. */

/** What can be told. On the wire each has `job.` before it. */
export const NOTICE_TYPES = ['started', 'completed', 'failed', 'cancelled'] as const;
export type NoticeType = (typeof NOTICE_TYPES)[number];

/** Whom a notice is for: the webhook of its job, or the topic of all jobs' events. */
export type Audience = 'webhook' | 'topic';

/** A state that a job came to. */
export type Notice = {
  type: NoticeType;
  /** Of the job, as of then: of two notices of a job the one with the higher version is the newer. */
  version: number;
  happenedAt: number;
};

/** A notice that somebody was not told yet. */
export type PendingNotice = Notice & {
  to: Audience[];
  /** How often its webhook was called in vain; absent: never. */
  failures?: number | undefined;
};

/** Whom a job's owner wants told, and what. */
export type Webhook = {
  url: string;
  events: NoticeType[];
  /** The end is told with the whole job in it, where that is small enough. */
  include?: 'job' | undefined;
};

/**
 * The notices of a job that did not go out yet, the oldest first. `dueAt`: not before that may anybody try; while there is
 * a `token` its holder is trying, until then. `wakeAt`: then the sweeper looks. `lifeWakeAt`: what the job's `wakeAt`
 * would be if it had no notices.
 */
export type Outbox = {
  notices: PendingNotice[];
  dueAt: number;
  wakeAt: number;
  lifeWakeAt: number | null;
  token?: string | undefined;
  /** Its webhook asked not to be called before that. */
  patientUntil?: number | undefined;
  /** How often it was tried since the newest notice came; counted before each try. */
  tries: number;
  /** How often the sweeper rang for it since it was last tried. */
  rings: number;
};

/** Why a webhook was not delivered, for programs. `refused`: we may not call it; `gone`: it wants no more (410). */
export type DeliveryFailure = 'refused' | 'status' | 'redirect' | 'gone' | 'timeout' | 'network';

/** One try to tell a webhook, or why there was none. */
export type Delivery = Notice & {
  triedAt: number;
  ms: number;
  /** HTTP's, where it answered. */
  status?: number | undefined;
  /** Absent: it was delivered. */
  failure?: DeliveryFailure | undefined;
  /** The failure in a sentence; names no secret. */
  message?: string | undefined;
};

/** So many tries are kept, the newest. */
export const DELIVERIES_KEPT = 50;

/** The fields of a job that are about telling others. */
export type Told = {
  webhook?: Webhook | undefined;
  /** Its notices go to the topic of all jobs' events, too. */
  announced?: true | undefined;
  outbox?: Outbox | undefined;
  /** What became of the tries to tell its webhook. */
  deliveries?: Delivery[] | undefined;
};

/** One try takes at most so long. */
export const DELIVERY_MS_MOST = 15_000;

/** What became of one try. `retryAfterMs`: the receiver asks not to be told again before that. */
export type Sent =
  | { delivered: true; ms: number; status: number }
  | {
      delivered: false;
      ms: number;
      status?: number | undefined;
      failure: DeliveryFailure;
      message: string;
      retryAfterMs?: number | undefined;
    };

/** A message to a webhook: its id is the same however often it is sent. */
export type NoticeMessage = { id: string; body: string };

/** `traceparent`: of the job, for the request's header. */
export type WebhookTarget = { tenant: string; url: string; traceparent?: string | undefined };

/** Tells webhooks, by HTTP. */
export type WebhookSender = {
  /**
   * Why this URL is not called, in words that follow the name of a field (`must …`); `undefined`: it may be. Judges what
   * the URL itself says; what its host resolves to is judged at each call.
   */
  refusalOf(url: string): string | undefined;
  /** One POST, signed with the secrets of the tenant, over within `DELIVERY_MS_MOST`. Follows no redirect. Never throws. */
  send(target: WebhookTarget, message: NoticeMessage): Promise<Sent>;
  /** What the tenant's receivers verify our signatures with: `whsec_…`, the one that is used first, first. */
  secretsOf(tenant: string): string[];
};

/** Where all jobs' events are published. */
export type EventsTopic = {
  /** Resolves when the topic holds the message durably; throws `store_unavailable` when that is not known. */
  publish(data: string, attributes: { [name: string]: string }, traceparent?: string): Promise<void>;
};
