/** Builds the console, which the application serves where nothing was bundled. */
import { buildConsole } from '../../infra/console.ts';

export default function setup(): Promise<void> {
  return buildConsole();
}
