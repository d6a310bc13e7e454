/** What every handler finds in its context. */
import type { Principal } from '../core/access.ts';

export type HttpEnv = {
  Variables: {
    requestId: string;
    principal: Principal;
    leftMs: number | undefined;
    /** What was not found is something of a job that is there. */
    hasJob: boolean | undefined;
  };
};
