/** The service's part of `/break-it/` in `npm start`: what only it can do, is asked of its supervisor, or is told there. */
import { proxy } from 'hono/proxy';
import { systemClock } from '../shared/adapters/system-clock.ts';
import type { Config } from '../shared/config.ts';
import type { JobKey } from '../shared/core/job.ts';
import type { Log } from '../shared/core/ports.ts';
import { allAvailable, whyNoModel } from './break-it.ts';
import { countedAs } from './break-it-counts.ts';
import { BREAK_IT_MODEL } from './break-it-provider.ts';
import type { Fetch } from './own-names.ts';
import { type StoreGate, storeGate } from './store-gate.ts';
import type { Supervisor } from './supervised.ts';

export type EmbeddedBreakIt = {
  /** The settings, and the model that is there to be broken. */
  config: Config;
  gate: StoreGate;
  /** Tells the supervisor of what it counts. */
  counted(log: Log): Log;
  /** `/break-it/`, from where it is. */
  fetch: Fetch;
  /** Takes the supervisor's orders. */
  obey(ring: (key: JobKey) => Promise<void>): void;
  /** Ends the streams, and lets the store answer. */
  close(): void;
};

export function embeddedBreakIt(settings: Config, supervisor: Supervisor): EmbeddedBreakIt {
  const { url, tell, onOrder } = supervisor;
  const whyNot = whyNoModel(settings);
  const model = { openaiCompatibleBaseUrl: `${url}/v1`, openaiCompatibleModels: [BREAK_IT_MODEL] };
  const config = whyNot === undefined ? { ...settings, ...model } : settings;
  const gate = storeGate(systemClock());
  return {
    config,
    gate,
    counted: (log) => (severity, event, fields) => {
      const counter = countedAs(event, fields?.why);
      if (counter) tell({ counter });
      log(severity, event, fields);
    },
    fetch(request) {
      const { pathname } = new URL(request.url);
      const headers = new Headers(request.headers);
      // `fetch` sends neither.
      for (const name of ['expect', 'host']) headers.delete(name);
      return proxy(`${url}${pathname}`, { raw: request, headers });
    },
    obey(ring) {
      onOrder((said) => {
        if (said.order === 'freeze') gate.setFrozen(said.frozen);
        if (said.order !== 'deliver') return;
        const key = { tenant: 'default', id: said.jobId };
        for (let time = 0; time < said.times; time++) {
          // What could not be rung is not counted.
          void ring(key).then(
            () => tell({ counter: 'deliveries' }),
            () => undefined,
          );
        }
      });
      const inMemory = 'Its jobs are kept in memory (DATABASE_URL=:memory:) and would end with it.';
      const available = allAvailable(whyNot);
      const killWorker = config.databaseUrl === ':memory:' && whyNot === undefined ? inMemory : available.kill_worker;
      tell({ available: { ...available, kill_worker: killWorker } });
    },
    close() {
      // What is under way is given back to the store, which has to answer for that.
      gate.setFrozen(false);
      tell({ leaving: true });
    },
  };
}
