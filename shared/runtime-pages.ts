/** How a function starts that only serves pages: it reads no settings but those of its log and its end, and holds no secret. */
import { configOrEnd } from './config.ts';
import type { Log } from './core/ports.ts';
import {
  endByOurselves,
  type Handle,
  handleRequestsWhole,
  type NodeFunction,
  nodeFunction,
  runWithoutDomains,
  soonAfterStart,
} from './http/functions-framework.ts';
import { logOf } from './runtime-log.ts';

/** All that it reads. */
export const PAGE_SETTINGS = ['projectId', 'logFormat', 'logLevel', 'drainMs'] as const;

/** To be called once, while the function's module loads. What answers is loaded by the first request, or soon after. */
export function startPages(load: (log: Log) => Promise<Handle>): NodeFunction {
  const config = configOrEnd(PAGE_SETTINGS);
  const log = logOf(config);
  handleRequestsWhole();
  runWithoutDomains();
  endByOurselves({ log, graceMs: config.drainMs });
  const { answer, loaded } = nodeFunction({ log, hasHealth: true, load: () => load(log) });
  soonAfterStart(loaded, log);
  return answer;
}
