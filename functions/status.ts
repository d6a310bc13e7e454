/** HTTP function `status`: everything that reads (GET). */
import { startFunction } from '../shared/runtime-start.ts';

export const { answer: status } = startFunction({
  isDoor: true,
  async load(runtime) {
    const { publicApp } = await import('./surfaces/mount.ts');
    return publicApp(runtime, ['reads']).fetch;
  },
});
