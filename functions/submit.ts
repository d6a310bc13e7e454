/** HTTP function `submit`: everything that writes (POST, PUT, DELETE). */
import { readConfig } from '../shared/config.ts';
import { handleRequestsWhole, nodeFunction } from '../shared/http/functions-framework.ts';
import { googleRuntime } from '../shared/runtime.ts';
import { publicApp, WRITES } from './surfaces/mount.ts';

handleRequestsWhole();

export const submit = nodeFunction(publicApp(googleRuntime(readConfig()), WRITES).fetch);
