/** What every handler finds in its context. */
import type { Principal } from '../core/new-job.ts';

export type HttpEnv = { Variables: { requestId: string; principal: Principal } };
