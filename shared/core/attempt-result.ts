/** How an attempt ended, and the call that it made. */
import type { ServiceError } from './errors.ts';
import type { CallFacts } from './events.ts';
import type { Json } from './job.ts';
import type { LlmPart } from './llm.ts';
import type { Rejected } from './repair.ts';

/**
 * `stopped`: the signal was aborted, with `reason`; what the call would have brought is not known. `rejected`: an answer
 * came that the model can be asked to mend. `vainText`: the text of an answer that came, and could not be used.
 */
export type AttemptResult =
  | { ended: 'answered'; result: Json; facts: CallFacts }
  | {
      ended: 'failed';
      error: ServiceError;
      facts: CallFacts;
      rejected?: Rejected | undefined;
      vainText?: string | undefined;
    }
  | { ended: 'stopped'; reason: ServiceError; facts: CallFacts };

/** A call that was made, or could not be (`notMade`): all parts of its answer, or what it failed with. */
export type MadeCall = {
  parts: AsyncIterable<LlmPart>;
  facts: CallFacts;
  startedMs: number;
  /** The provider does no more for it. */
  isOver?: true | undefined;
  /** It may be answered to its end, and paid, though nobody will see that. */
  isUnseen?: true | undefined;
};
