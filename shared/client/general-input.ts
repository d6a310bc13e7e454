/** The input of `general_llm_request`: a question in one of three shapes, or a request in the words of `llm-jobs/llm`. */

/** What the model is told beside the question; what it does not take is an error, or with `lenient` a warning. */
export type Parameters = {
  temperature?: number;
  top_p?: number;
  /** The output limit, reasoning included. */
  max_tokens?: number;
  reasoning?: { effort?: 'none' | 'minimal' | 'low' | 'medium' | 'high' | 'xhigh' };
  text?: { verbosity?: 'low' | 'medium' | 'high' };
};

/** An `https:` address, or a `data:` URL with base64. */
type ImageUrl = string;
export type ContentPart =
  | { type: 'text'; text: string }
  | { type: 'image_url'; image_url: ImageUrl | { url: ImageUrl } };

/** A function that the model wants called: give it back as it came. */
export type ToolCall = {
  id: string;
  type?: 'function';
  /** `arguments` is JSON. */
  function: { name: string; arguments: string };
  signature?: string;
};

/** One turn of a conversation. */
export type Message =
  | { role: 'system'; content: string }
  | { role: 'user'; content: string | ContentPart[] }
  | { role: 'assistant'; content?: string | null; tool_calls?: ToolCall[] }
  /** What a function that was called brought. */
  | { role: 'tool'; tool_call_id: string; content: string };

/** A JSON Schema. */
export type JsonSchema = Record<string, unknown>;

/** A function that the model may have called. */
export type Tool = { type: 'function'; function: { name: string; description?: string; parameters?: JsonSchema } };
export type ToolChoice = 'auto' | 'none' | 'required' | { type: 'function'; function: { name: string } };

type Besides = {
  tools?: Tool[];
  tool_choice?: ToolChoice;
  /** The answer is JSON of it, checked, or the job fails with `schema_violation`. */
  response_schema?: JsonSchema;
  /** How often the model may mend an answer that is not of `response_schema`: 0 to 3; 1 when absent. */
  max_repairs?: number;
  validation?: 'strict' | 'lenient';
  /** How many passages a file search brings at most. */
  max_num_results?: number;
};

/** A store of the vendor that is searched for passages. */
type Search = { vector_store_id?: string };
type PromptOrMessages = { prompt: string; messages?: never } | { messages: Message[]; prompt?: never };

/** Exactly one of `prompt`, `messages` and `full_input`, the last one with an optional `system_message`. */
type Question =
  | (PromptOrMessages & { full_input?: never; system_message?: never })
  | { full_input: string; system_message?: string; prompt?: never; messages?: never };

/** The model as its provider names it, and what it is told. */
export type LlmModelSpec = Parameters & { provider?: string; model: string };
export type LlmConfig = Search & PromptOrMessages & { llm_model_spec?: LlmModelSpec };

/** With `llm` nothing of the question may stand beside it. */
type NoShorthand = {
  [field in 'prompt' | 'messages' | 'full_input' | 'system_message' | keyof Search | keyof Parameters]?: never;
};

type Shorthand = Besides & Search & Parameters & Question & { llm?: never };
export type GeneralInput = Shorthand | (Besides & NoShorthand & { llm: LlmConfig });

/** An input that names its model itself: its submission needs no `model_id`. */
export type ModelInRequest = Besides & NoShorthand & { llm: LlmConfig & { llm_model_spec: LlmModelSpec } };
