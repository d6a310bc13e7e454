/** HTTP function `submit`: everything that writes (POST, PUT, DELETE). */
import { readConfig } from '../shared/config.ts';
import { endByOurselves, handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { googleRuntime } from '../shared/runtime.ts';
import { publicApp } from './surfaces/mount.ts';

handleRequestsWhole();
const runtime = googleRuntime(readConfig());
endByOurselves({ log: runtime.log, letGo: runtime.service.close, graceMs: runtime.config.drainMs });

export const submit = nodeFunction(publicApp(runtime, ['writes']).fetch);
