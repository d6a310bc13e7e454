/** Conversations and tools as requests write them (OpenAI's Chat words, which everybody knows), and as the core means them. */
import { z } from 'zod';
import { findTooMany, VALUES_MOST } from '../core/field-errors.ts';
import type { JsonObject, LlmMessage, Tool, ToolCall, ToolChoice } from '../core/llm.ts';
import { fields, text } from './fields.ts';

const IMAGE_URL = 'must be an https: URL or a data: URL (data:image/png;base64,…)';
const imageUrl = z.string().regex(/^(https:\/\/|data:image\/[\w.+-]+;base64,)/, { error: IMAGE_URL });

const contentPart = z.discriminatedUnion(
  'type',
  [
    fields({ type: z.literal('text'), text }),
    fields({ type: z.literal('image_url'), image_url: z.union([imageUrl, fields({ url: imageUrl })]) }),
  ],
  { error: (issue) => (issue.code === 'invalid_union' ? 'must be one of: text, image_url' : undefined) },
);

const NAME = 'must be 1 to 64 letters, digits, _ or -';
const functionName = z.string().regex(/^[\w-]{1,64}$/, { error: NAME });

function isJson(text: string): boolean {
  if (findTooMany(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** A function that the model wants called; answers hold it, and it may be given back as it is. */
export const toolCall = fields({
  id: text,
  type: z.literal('function').default('function'),
  function: fields({
    name: functionName,
    arguments: z.string().refine(isJson, { error: `must be JSON, of at most ${VALUES_MOST} values` }),
  }),
  signature: z.string().describe('What some vendors want back with the call. Give it back as it came.').optional(),
});

/** One turn of a conversation. */
export const message = z.discriminatedUnion(
  'role',
  [
    fields({ role: z.literal('system'), content: text }),
    fields({
      role: z.literal('user'),
      content: z.union([text, z.array(contentPart).min(1, { error: 'must hold at least one part' })]),
    }),
    fields({
      role: z.literal('assistant'),
      content: z.string().nullish(),
      tool_calls: z.array(toolCall).max(128, { error: 'must hold at most 128 calls' }).optional(),
    }),
    fields({ role: z.literal('tool'), tool_call_id: text, content: z.string() }),
  ],
  {
    error: (issue) => (issue.code === 'invalid_union' ? 'must be one of: system, user, assistant, tool' : undefined),
  },
);

/** A conversation: somebody speaks, and tools answer calls that were made. */
export const messages = z
  .array(message)
  .min(1, { error: 'must hold at least one message' })
  .superRefine((turns, context) => {
    const fail = (path: PropertyKey[], sentence: string) =>
      context.addIssue({ code: 'custom', path, message: sentence });
    if (turns.length > 0 && turns.every((turn) => turn.role === 'system')) {
      fail([], 'must hold at least one message whose role is user or assistant');
    }
    const called = new Set<string>();
    const unanswered = new Set<string>();
    for (const [index, turn] of turns.entries()) {
      if (turn.role === 'tool') {
        if (!called.has(turn.tool_call_id))
          fail([index, 'tool_call_id'], 'answers no tool call of a message before it');
        unanswered.delete(turn.tool_call_id);
        continue;
      }
      if (turn.role !== 'system' && unanswered.size > 0) {
        fail(
          [index],
          `comes before the result of the call ${[...unanswered][0]}; a message of role tool must bring it`,
        );
        unanswered.clear();
      }
      if (turn.role !== 'assistant') continue;
      const calls = turn.tool_calls ?? [];
      if (!turn.content && calls.length === 0) fail([index, 'content'], 'is required where there are no tool_calls');
      for (const [nth, call] of calls.entries()) {
        if (called.has(call.id)) fail([index, 'tool_calls', nth, 'id'], 'is the id of another call, too');
        called.add(call.id);
        unanswered.add(call.id);
      }
    }
  });

const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
/**
 * A user's JSON Schema, kept as it is: zod's own objects drop the name `__proto__` without a word. What is checked here
 * is known to be an object, which zod's type does not say.
 */
export const jsonSchema = z
  .unknown()
  .refine(isObject, { error: 'must be a JSON Schema, an object' })
  .meta({ type: 'object' }) as z.ZodType as z.ZodType<JsonObject, JsonObject>;

/** A function that the model may have called. */
export const tool = fields({
  type: z.literal('function'),
  function: fields({
    name: functionName,
    description: text.optional(),
    parameters: jsonSchema.default({ type: 'object', properties: {} }),
  }),
});

export const toolChoice = z.union(
  [
    z.enum(['auto', 'none', 'required']),
    fields({ type: z.literal('function'), function: fields({ name: functionName }) }),
  ],
  { error: 'must be auto, none, required, or { "type": "function", "function": { "name": … } }' },
);

export function toMessage(turn: z.output<typeof message>): LlmMessage {
  switch (turn.role) {
    case 'system':
      return { role: 'system', content: turn.content };
    case 'user':
      return { role: 'user', content: typeof turn.content === 'string' ? turn.content : turn.content.map(toPart) };
    case 'assistant':
      return {
        role: 'assistant',
        content: turn.content ?? '',
        ...(turn.tool_calls?.length ? { toolCalls: turn.tool_calls.map(toToolCall) } : {}),
      };
    case 'tool':
      return { role: 'tool', toolCallId: turn.tool_call_id, content: turn.content };
  }
}

function toPart(part: z.output<typeof contentPart>) {
  if (part.type === 'text') return { type: 'text' as const, text: part.text };
  const { image_url: image } = part;
  return { type: 'image' as const, url: typeof image === 'string' ? image : image.url };
}

function toToolCall({ id, function: { name, arguments: args }, signature }: z.output<typeof toolCall>): ToolCall {
  return { id, name, arguments: args, ...(signature === undefined ? {} : { signature }) };
}

/** A call in the words of requests and answers. */
export function renderToolCall({ id, name, arguments: args, signature }: ToolCall) {
  const call = { id, type: 'function' as const, function: { name, arguments: args } };
  return signature === undefined ? call : { ...call, signature };
}

export function toTool({ function: { name, description, parameters } }: z.output<typeof tool>): Tool {
  return { name, parameters, ...(description === undefined ? {} : { description }) };
}

export function toToolChoice(choice: z.output<typeof toolChoice>): ToolChoice {
  return typeof choice === 'string' ? choice : { name: choice.function.name };
}
