/** A request in Acme's words (`POST /v1/generate`). Pure. */
import { textOf } from '../../../shared/core/llm.ts';
import type { Transformer } from '../../../shared/llm/transformers/transformer.ts';

/** What Acme is sent; of a vendor with an SDK, its own type stands here. */
export type AcmeBody = {
  model: string;
  system?: string;
  turns: { from: 'user' | 'assistant'; text: string }[];
  limit?: number;
  temperature?: number;
};

/** System messages become `system`; what functions brought has no place in Acme's protocol. */
export const toAcmeBody: Transformer<AcmeBody> = (request) => {
  const systems = request.messages.filter(({ role }) => role === 'system').map(textOf);
  const turns = request.messages.flatMap((message) =>
    message.role === 'user' || message.role === 'assistant' ? [{ from: message.role, text: textOf(message) }] : [],
  );
  const isComplete = systems.length + turns.length === request.messages.length;
  return {
    body: {
      model: request.model,
      ...(systems.length > 0 ? { system: systems.join('\n\n') } : {}),
      turns,
      ...(request.maxOutputTokens === undefined ? {} : { limit: request.maxOutputTokens }),
      ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    },
    warnings: isComplete ? [] : ['Results of functions were left out: Acme has no place for them.'],
  };
};
