/**
 * How a deployed function starts: its settings are read, and what they say wrongly ends the start. Everything else is
 * loaded by the first request, or soon after the start where none comes: a function listens three times as early, and
 * whoever asks for its health waits for nothing else.
 */
import { type Config, ConfigError, configOrEnd, endWith } from './config.ts';
import type { Log } from './core/ports.ts';
import {
  endByOurselves,
  type Handle,
  handleRequestsWhole,
  isCalledWithEvents,
  type NodeFunction,
  nodeFunction,
  runWithoutDomains,
  soonAfterStart,
} from './http/functions-framework.ts';
import type { Runtime } from './runtime.ts';
import { logOf } from './runtime-log.ts';
import type { Shown } from './runtime-shared.ts';

export type FunctionOptions = {
  /** What answers its requests. Called once. */
  load(runtime: Runtime): Promise<Handle>;
  /** Is it a public door? It answers `GET /health`, and whoever waits there for news is answered at its end. */
  isDoor?: boolean;
  /** Does it run jobs, which have time to end with it? */
  runsJobs?: boolean;
  /** Does it publish? The client for that is then made ahead, too. */
  rings?: boolean;
  shown?: () => Promise<Shown>;
};

export type StartedFunction = {
  config: Config;
  log: Log;
  answer: NodeFunction;
  /** Opened once, on first use. */
  runtime(): Promise<Runtime>;
};

/** To be called once, while the function's module loads. */
export function startFunction({
  load,
  isDoor = false,
  runsJobs = false,
  rings = false,
  shown,
}: FunctionOptions): StartedFunction {
  const config = configOrEnd();
  const log = logOf(config);
  if (!isCalledWithEvents(config.signatureType)) {
    handleRequestsWhole();
    runWithoutDomains();
  }
  let opened: Runtime | undefined;
  let opening: Promise<Runtime> | undefined;
  let isEnding = false;
  const open = async () => {
    const { googleRuntime } = await import('./runtime.ts');
    const more = await shown?.();
    try {
      opened = googleRuntime(config, log, more);
    } catch (error) {
      // Some settings only the catalog can judge.
      if (error instanceof ConfigError) endWith(error);
      throw error;
    }
    // Told to end meanwhile: nobody waits in it.
    if (isEnding && isDoor) opened.service.close();
    return opened;
  };
  const runtime = () => {
    opening ??= open();
    return opening;
  };
  endByOurselves({
    log,
    letGo() {
      isEnding = true;
      if (isDoor) opened?.service.close();
    },
    ...(runsJobs ? { drain: async () => (await opening)?.worker.drain(config.drainMs) } : {}),
    graceMs: config.drainMs,
  });
  const { answer, loaded } = nodeFunction({ log, hasHealth: isDoor, load: async () => load(await runtime()) });
  soonAfterStart(() => loaded().then(() => opened?.warm({ queue: rings })), log);
  return { config, log, answer, runtime };
}
