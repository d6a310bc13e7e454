/** What turns our request into a vendor's body. Pure. */
import type { LlmRequest } from '../../core/llm.ts';

/** A body, and a sentence for each thing in the request that it could not express. */
export type Transformed<Body> = { body: Body; warnings: string[] };

export type Transformer<Body> = (request: LlmRequest) => Transformed<Body>;
