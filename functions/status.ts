/** HTTP function `status`: everything that reads (GET). */
import { readConfig } from '../shared/config.ts';
import { handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { googleRuntime } from '../shared/runtime.ts';
import { publicApp, READS } from './surfaces/mount.ts';

handleRequestsWhole();

export const status = nodeFunction(publicApp(googleRuntime(readConfig()), READS).fetch);
