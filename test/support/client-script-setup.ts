/** Builds the client, which the application serves as a file where nothing was bundled. */
import { buildClient } from '../../infra/library.ts';

export default function setup(): Promise<void> {
  return buildClient();
}
