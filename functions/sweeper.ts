/** HTTP function `sweeper`: Cloud Scheduler calls it every minute to do what time does. */
import { readConfig } from '../shared/config.ts';
import { nodeFunction } from '../shared/http/functions-framework.ts';
import { googleRuntime } from '../shared/runtime.ts';

const runtime = googleRuntime(readConfig());

export const sweeper = nodeFunction(async () => Response.json(await runtime.sweep()));
