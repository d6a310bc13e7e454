/**
 * What a model is asked and what it answers, in no vendor's words: the language between job types, providers and the
 * worker.
 */
import type { Usage } from './attempt-record.ts';
import type { JobModel, Json } from './job.ts';

/** A JSON object. */
export type JsonObject = { [key: string]: Json };

export type TextPart = { type: 'text'; text: string };
/** `url`: an `https:` address, or a `data:` URL with base64. */
export type ImagePart = { type: 'image'; url: string };

/** A function that the model wants called. */
export type ToolCall = {
  id: string;
  name: string;
  /** JSON, as the model wrote it. */
  arguments: string;
  /** What some vendors want back with the call (Gemini's thought signature). Opaque. */
  signature?: string | undefined;
};

/** One turn of a conversation. */
export type LlmMessage =
  | { role: 'system'; content: string }
  | { role: 'user'; content: string | readonly (TextPart | ImagePart)[] }
  | { role: 'assistant'; content: string; toolCalls?: readonly ToolCall[] | undefined }
  /** What a function that was called brought. */
  | { role: 'tool'; toolCallId: string; content: string };

/** A function that the model may have called; `parameters` is a JSON Schema. */
export type Tool = { name: string; description?: string | undefined; parameters: JsonObject };
/** May, must not or must the model call a function, or must it call this one? */
export type ToolChoice = 'auto' | 'none' | 'required' | { name: string };

export type ReasoningEffort = 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh';
export type Verbosity = 'low' | 'medium' | 'high';

/** What a provider is asked. What is absent is left to the model. */
export type LlmRequest = {
  /** As the provider names it. */
  model: string;
  messages: readonly LlmMessage[];
  temperature?: number | undefined;
  topP?: number | undefined;
  /** The output limit, reasoning included. */
  maxOutputTokens?: number | undefined;
  reasoningEffort?: ReasoningEffort | undefined;
  verbosity?: Verbosity | undefined;
  /** Search these stores of the vendor's for passages. */
  fileSearch?: { vectorStoreIds: readonly string[]; maxResults: number } | undefined;
  tools?: readonly Tool[] | undefined;
  toolChoice?: ToolChoice | undefined;
  /** The answer must be JSON of this JSON Schema. */
  responseSchema?: { name: string; schema: JsonObject } | undefined;
};

/** Why the answer ended: by itself, to have functions called, at the output limit, or withheld by the provider's filter. */
export type FinishReason = 'stop' | 'tool_calls' | 'length' | 'content_filter';

/** A passage that a file search found. */
export type FileSearchResult = {
  text: string;
  /** From 0 to 1. */
  score?: number | undefined;
  fileId?: string | undefined;
  fileName?: string | undefined;
};

/** What is left of a limit for now, how many milliseconds it takes until all of it is there again, and how much that is. */
export type Allowance = { remaining: number; resetMs: number; limit?: number | undefined };
/** What a provider says with its answer of how much more it takes, of requests and of tokens. */
export type ProviderLimits = { requests?: Allowance | undefined; tokens?: Allowance | undefined };

/**
 * A piece of an answer. `accepted` comes first, when the provider took the request; `finish` comes exactly once, last:
 * an answer without it was cut.
 */
export type LlmPart =
  | { type: 'accepted'; providerRequestId?: string | undefined; limits?: ProviderLimits | undefined }
  /** The provider is alive and has nothing to say yet: it reasons. */
  | { type: 'activity' }
  | { type: 'text-delta'; text: string }
  /** One whole call. */
  | { type: 'tool-call'; call: ToolCall }
  | { type: 'file-search'; results: readonly FileSearchResult[] }
  /** How the vendor names the answer, and the model that made it. */
  | { type: 'response'; id?: string | undefined; model?: string | undefined }
  /** Something of the request was not done as asked; a sentence for its author. */
  | { type: 'warning'; message: string }
  | { type: 'usage'; usage: Usage }
  | { type: 'finish'; reason: FinishReason };

/** A whole answer, as its parts told it. */
export type Answer = {
  /** Well-formed Unicode. Empty only beside tool calls. */
  text: string;
  finishReason: FinishReason;
  toolCalls: readonly ToolCall[];
  fileSearchResults: readonly FileSearchResult[];
  responseId?: string | undefined;
  /** As the vendor says, which may be a dated name of the one that was asked. */
  model?: string | undefined;
  usage?: Usage | undefined;
  warnings: readonly string[];
};

/** What goes with each request: how it ends early, and the trace that it belongs to, for its header `traceparent`. */
export type CallOptions = { signal: AbortSignal; traceparent?: string | undefined };

/** One vendor's protocol behind one verb. */
export type LlmProvider = {
  /**
   * Makes exactly one call and yields its parts as they arrive. Never retries. Throws a `ServiceError` whose code says
   * what kind of failure it was. Stops, and throws the signal's reason, as soon as `signal` is aborted.
   */
  generate(request: LlmRequest, options: CallOptions): AsyncIterable<LlmPart>;
  /** Where the provider can work on an answer by itself. */
  background?: Background | undefined;
};

/** An answer that a provider works on by itself, by its id; or all parts of one that was there at once. */
export type Started = ({ id: string; parts?: never } | { id?: never; parts: AsyncIterable<LlmPart> }) & {
  providerRequestId?: string | undefined;
  limits?: ProviderLimits | undefined;
};

/**
 * What a look finds: nothing yet; that there is no such answer; or all parts of it, `finish` last. Reading these throws
 * what the answer failed with.
 */
export type Look = { pending: true } | { gone: true } | { parts: AsyncIterable<LlmPart> };

/** A provider's background mode. Its methods make one request each, never retry, and throw as `generate` does. */
export type Background = {
  /** Has an answer begun, and says under which id it can be looked for. */
  start(request: LlmRequest, options: CallOptions): Promise<Started>;
  /** Looks for the answer to a request. Throws when the look failed, not the answer. */
  look(id: string, request: LlmRequest, options: CallOptions): Promise<Look>;
  /** Stops the work on an answer, and says what was used for it if that is known. No error where there is none, or it is over. */
  cancel(id: string, options: CallOptions): Promise<{ usage?: Usage | undefined }>;
};

/** Can jobs be submitted for a model now, and if not, what must be done. */
export type Availability = { available: true } | { available: false; reason: string };

/** A model under the name that requests use; what it runs as differs when the vendor retired that name. */
export type ListedModel = {
  reference: string;
  runs: JobModel;
  /** What it can do, each of `supportsVision`, `supportsTools`…; of a retired name: what the one can that it runs as. */
  capabilities: { readonly [capability: string]: boolean };
  /** What it takes beside a prompt. */
  parameters: readonly ListedParameter[];
};

/** A parameter that a model takes, under its name in requests, and which values. */
export type ListedParameter = {
  name: string;
  type: 'float' | 'int' | 'enum';
  minValue?: number | undefined;
  maxValue?: number | undefined;
  allowedValues?: readonly string[] | undefined;
  /** What the vendor takes where a request says nothing, if that is known. */
  defaultValue?: number | string | undefined;
};

/** Which models there are. */
export type ModelCatalog = {
  /** Finds a model by UUID, by its vendor's name (also as `provider/name`), or by its name for people, in any case. */
  find(reference: string): JobModel | undefined;
  /** Up to three names of models that look like this one. */
  near(reference: string): string[];
  list(): ListedModel[];
  availability(model: JobModel): Availability;
};

/** The provider that serves a model; loads its SDK on first use. Throws `model_unavailable` when it has no key. */
export type ProviderFor = (provider: string) => Promise<LlmProvider>;

/** The text of a message, without its images. */
export function textOf({ content }: LlmMessage): string {
  if (typeof content === 'string') return content;
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}
