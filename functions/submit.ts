/** HTTP function `submit`: everything that writes (POST, PUT, DELETE). */
import { startFunction } from '../shared/runtime-start.ts';

export const { answer: submit } = startFunction({
  isDoor: true,
  rings: true,
  async load(runtime) {
    const { publicApp } = await import('./surfaces/mount.ts');
    return publicApp(runtime, ['writes']).fetch;
  },
});
