/** What a start that failed says: a sentence for what a person can mend, the whole error for what is ours. */
import { ConfigError } from '../shared/config.ts';
import { EmulatorsMissing } from './emulator-processes.ts';

export function explain(error: unknown): unknown {
  if (error instanceof ConfigError || error instanceof EmulatorsMissing) return error.message;
  if (!(error instanceof Error)) return error;
  switch ('code' in error ? error.code : undefined) {
    case 'EADDRINUSE':
      return `${error.message}. Set PORT to another port.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${error.message}. Set HOST to an address of this machine.`;
    default:
      return /DATABASE_URL/.test(error.message) ? error.message : error;
  }
}
