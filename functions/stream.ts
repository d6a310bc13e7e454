/** HTTP function `stream`: jobs as server-sent events. Its requests stay open for minutes, hundreds on one instance. */
import { readConfig } from '../shared/config.ts';
import { endByOurselves, handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { googleRuntime } from '../shared/runtime.ts';
import { publicApp } from './surfaces/mount.ts';

handleRequestsWhole();
const runtime = googleRuntime(readConfig());
endByOurselves({ log: runtime.log, letGo: runtime.service.close, graceMs: runtime.config.drainMs });

export const stream = nodeFunction(publicApp(runtime, ['streams']).fetch);
