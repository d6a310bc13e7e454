/** A conversation in Anthropic's words. Pure. */
import type { ContentBlockParam, ImageBlockParam, MessageParam } from '@anthropic-ai/sdk/resources/messages/messages';
import type { ImagePart, LlmMessage, TextPart, ToolCall } from '../../core/llm.ts';
import { inlined, objectIn } from './inlined.ts';
import { IMAGE_LEFT_OUT } from './transformer.ts';

const MEDIA_TYPES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'] as const;
const EMPTY = 'Anthropic takes no message without words; an empty one was left out.';

/** The turns of the conversation; system messages are none. */
export function toMessages(conversation: readonly LlmMessage[]): { messages: MessageParam[]; warnings: string[] } {
  const messages: MessageParam[] = [];
  const warnings = new Set<string>();
  let results: ContentBlockParam[] = [];
  const add = (role: 'user' | 'assistant', content: string | ContentBlockParam[]) => {
    if (content.length === 0) warnings.add(EMPTY);
    else messages.push({ role, content });
  };
  /** All results of one turn's calls stand in one message. */
  const endResults = () => {
    if (results.length > 0) add('user', results);
    results = [];
  };
  for (const message of conversation) {
    if (message.role === 'tool') {
      const { toolCallId, content } = message;
      results.push({ type: 'tool_result', tool_use_id: toolCallId, ...(content === '' ? {} : { content }) });
      continue;
    }
    if (message.role === 'system') continue;
    endResults();
    if (message.role === 'user') add('user', contentOf(message.content, warnings));
    else add('assistant', turnOf(message.content, message.toolCalls ?? [], warnings));
  }
  endResults();
  return { messages, warnings: [...warnings] };
}

function contentOf(content: string | readonly (TextPart | ImagePart)[], warnings: Set<string>) {
  if (typeof content === 'string') return content;
  return content.flatMap((part): ContentBlockParam[] => {
    if (part.type === 'image') return [imageOf(part.url, warnings)];
    // A block without text is refused.
    return part.text === '' ? [] : [{ type: 'text', text: part.text }];
  });
}

function imageOf(url: string, warnings: Set<string>): ContentBlockParam {
  const source = sourceOf(url);
  if (source) return { type: 'image', source };
  warnings.add('Anthropic takes images as https: addresses, or as JPEG, PNG, GIF or WebP; the others were left out.');
  return { type: 'text', text: IMAGE_LEFT_OUT };
}

function sourceOf(url: string): ImageBlockParam['source'] | undefined {
  if (/^https:/i.test(url)) return { type: 'url', url };
  const image = inlined(url);
  const mediaType = MEDIA_TYPES.find((type) => type === image?.mimeType.toLowerCase());
  return image && mediaType && { type: 'base64', media_type: mediaType, data: image.data };
}

function turnOf(text: string, calls: readonly ToolCall[], warnings: Set<string>): string | ContentBlockParam[] {
  if (calls.length === 0) return text;
  return [...(text === '' ? [] : [{ type: 'text' as const, text }]), ...calls.map((call) => callOf(call, warnings))];
}

function callOf({ id, name, arguments: json }: ToolCall, warnings: Set<string>): ContentBlockParam {
  const input = objectIn(json);
  if (!input) {
    warnings.add(`The arguments of a call of ${name} are no JSON object; Anthropic was told that there were none.`);
  }
  return { type: 'tool_use', id, name, input: input ?? {} };
}
