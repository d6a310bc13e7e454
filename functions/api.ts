/** HTTP function `api`: reads and writes behind one URL, the default public door. */
import { readConfig } from '../shared/config.ts';
import { handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { googleRuntime } from '../shared/runtime.ts';
import { publicApp, READS, WRITES } from './surfaces/mount.ts';

handleRequestsWhole();

export const api = nodeFunction(publicApp(googleRuntime(readConfig()), [...READS, ...WRITES]).fetch);
