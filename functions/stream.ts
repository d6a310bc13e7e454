/** HTTP function `stream`: jobs as server-sent events. Its requests stay open for minutes, hundreds on one instance. */
import { startFunction } from '../shared/runtime-start.ts';

export const { answer: stream } = startFunction({
  isDoor: true,
  async load(runtime) {
    const { publicApp } = await import('./surfaces/mount.ts');
    return publicApp(runtime, ['streams']).fetch;
  },
});
