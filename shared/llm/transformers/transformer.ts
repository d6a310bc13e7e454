/** What turns our request into a vendor's body. Pure. */
import { ServiceError } from '../../core/errors.ts';
import type { LlmRequest } from '../../core/llm.ts';

/** A body, and a sentence for each thing in the request that it could not express. */
export type Transformed<Body> = { body: Body; warnings: string[] };

export type Transformer<Body> = (request: LlmRequest) => Transformed<Body>;

/** What stands where an image was that a vendor does not take. */
export const IMAGE_LEFT_OUT = '[an image]';

/** The request in the vendor's words. Throws `transformation_failed` when the transformer does not know how. */
export function transformed<Body>(transform: Transformer<Body>, request: LlmRequest): Transformed<Body> {
  try {
    return transform(request);
  } catch (cause) {
    throw new ServiceError('transformation_failed', 'The request cannot be put into the words of this provider.', {
      cause,
    });
  }
}

/** The fields of a body for a value, none where there is no value. */
export function given<Value, Fields extends object>(
  value: Value | undefined,
  toFields: (value: Value) => Fields,
): Fields | undefined {
  return value === undefined ? undefined : toFields(value);
}

/** The text of all system messages, for vendors that have one place for it. */
export function systemTextOf({ messages }: LlmRequest): string | undefined {
  const texts = messages.flatMap((message) => (message.role === 'system' ? [message.content] : []));
  return texts.length === 0 ? undefined : texts.join('\n\n');
}

/** A warning for a setting that a vendor has no word for. */
export function leftOut(vendor: string, setting: string): string {
  return `${vendor} has no ${setting}; it was left out.`;
}

/** A warning for a choice among functions where there is none. */
export const CHOICE_WITHOUT_TOOLS = 'There are no tools to choose from; tool_choice was left out.';
