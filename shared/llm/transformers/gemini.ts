/** A request in Gemini's words (`generateContent`). Pure. */
import type { Content, GenerateContentRequest } from '@google/generative-ai';
import { type LlmRequest, textOf } from '../../core/llm.ts';

/** System messages become the system instruction; Gemini calls the assistant `model`. */
export function toGeminiBody(request: LlmRequest): GenerateContentRequest {
  const systems = request.messages.filter((message) => message.role === 'system');
  const contents: Content[] = request.messages
    .filter((message) => message.role !== 'system')
    .map((message) => ({
      role: message.role === 'assistant' ? 'model' : 'user',
      parts: [{ text: textOf(message) }],
    }));
  const systemText = systems.map((message) => message.content).join('\n\n');
  return systems.length === 0
    ? { contents }
    : { contents, systemInstruction: { role: 'system', parts: [{ text: systemText }] } };
}
