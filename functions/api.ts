/** HTTP function `api`: reads and writes behind one URL, the default public door. */
import { EVERYTHING } from '../shared/http/request-kind.ts';
import { startFunction } from '../shared/runtime-start.ts';

export const { answer: api } = startFunction({
  isDoor: true,
  rings: true,
  async load(runtime) {
    const { publicApp } = await import('./surfaces/mount.ts');
    return publicApp(runtime, EVERYTHING).fetch;
  },
});
