/** Where lines go. A module of its own: a function has it before everything else. */
import { logContext } from './adapters/opentelemetry-under-way.ts';
import { stdoutLog } from './adapters/stdout-log.ts';
import type { Config } from './config.ts';
import type { Log } from './core/ports.ts';

type LogSettings = Pick<Config, 'logFormat' | 'logLevel' | 'projectId' | 'service'>;

/** Lines on standard output, as the settings have them. */
export function logOf({ logFormat, logLevel, projectId, service }: LogSettings): Log {
  return stdoutLog({ format: logFormat, level: logLevel, projectId, service, context: logContext });
}
