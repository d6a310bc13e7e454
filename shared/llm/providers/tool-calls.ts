/** Function calls as providers tell them: gathered from pieces, and left out when they were cut. */
import { ServiceError } from '../../core/errors.ts';
import type { LlmPart, ToolCall } from '../../core/llm.ts';

/** A piece of a call, as Chat Completions stream it. What servers put into it varies. */
export type CallDelta = {
  index?: number;
  id?: string | null;
  function?: { name?: string | null; arguments?: unknown };
  extra_content?: { google?: { thought_signature?: string } };
};

type Gathered = { index: number | undefined; id: string; name: string; json: string; signature?: string | undefined };

/** Gathers calls from their pieces; `nextId` names those that come without an id. */
export function callGatherer(nextId: () => string): { add(delta: CallDelta): void; calls(): ToolCall[] } {
  const gathered: Gathered[] = [];

  /** Servers exist that number all calls 0, or none at all; but another id is another call. */
  function placeOf({ index, id, function: called }: CallDelta): Gathered {
    const known = index === undefined ? gathered.at(-1) : gathered.findLast((each) => each.index === index);
    const isAnother = known && id && known.id !== '' && known.id !== id;
    const isUnnumbered = index === undefined && known !== undefined && !id && Boolean(called?.name);
    if (known && !isAnother && !isUnnumbered) return known;
    const place = { index, id: '', name: '', json: '' };
    gathered.push(place);
    return place;
  }

  return {
    add(delta) {
      const place = placeOf(delta);
      place.id ||= delta.id ?? '';
      place.name ||= delta.function?.name ?? '';
      place.json += jsonOf(delta.function?.arguments);
      place.signature ??= delta.extra_content?.google?.thought_signature;
    },
    calls: () =>
      gathered.map(({ id, name, json, signature }) => ({
        id: id || nextId(),
        name,
        arguments: json,
        ...(signature === undefined ? {} : { signature }),
      })),
  };
}

function jsonOf(piece: unknown): string {
  if (typeof piece === 'string') return piece;
  return piece === undefined || piece === null ? '' : JSON.stringify(piece);
}

/**
 * The parts of an answer's calls. Of an answer that was cut, a call whose arguments are no JSON is left out: half a call
 * must not be made. Throws `provider_error` for a call of nothing.
 */
export function* partsOfCalls(calls: readonly ToolCall[], isCut: boolean): Iterable<LlmPart> {
  for (const call of calls) {
    if (isCut && !isJson(call.arguments)) {
      yield { type: 'warning', message: 'A function call was cut at the output limit; it was left out.' };
      continue;
    }
    if (call.name === '') throw new ServiceError('provider_error', 'The provider called a function without a name.');
    // A function without parameters is called with nothing by some.
    yield { type: 'tool-call', call: { ...call, arguments: call.arguments === '' ? '{}' : call.arguments } };
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
