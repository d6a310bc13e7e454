/** HTTP function `api`: reads and writes behind one URL, the default public door. */
import { readConfig } from '../shared/config.ts';
import { endByOurselves, handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { EVERYTHING } from '../shared/http/request-kind.ts';
import { googleRuntime } from '../shared/runtime.ts';
import { publicApp } from './surfaces/mount.ts';

handleRequestsWhole();
const runtime = googleRuntime(readConfig());
endByOurselves({ log: runtime.log, letGo: runtime.service.close, graceMs: runtime.config.drainMs });

export const api = nodeFunction(publicApp(runtime, EVERYTHING).fetch);
