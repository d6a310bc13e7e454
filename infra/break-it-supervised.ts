/** `/break-it/` and its provider in the process that started the service: what it counts outlives the service. */
import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { type Available, allAvailable, breakIt } from './break-it.ts';
import { breakItCounts } from './break-it-counts.ts';
import { breakItProvider } from './break-it-provider.ts';
import type { Order, Report } from './supervised.ts';

export type StartedBreakIt = {
  answer: RequestListener;
  take(report: Report): void;
  /** The service is dead, of this signal. */
  died(signal: NodeJS.Signals | null): void;
};

/** `kill`: kills the service, when whoever asked for it has an answer. */
export function startBreakIt({ order, kill }: { order: (said: Order) => void; kill: () => void }): StartedBreakIt {
  const counts = breakItCounts();
  let available: Available = allAvailable('It is not ready yet.');
  const { fetch, thaw, endStreams } = breakIt({
    counts,
    available: () => available,
    deeds: {
      killWorker: kill,
      async deliver(jobId, times) {
        order({ order: 'deliver', jobId, times });
      },
      setFrozen: (frozen) => order({ order: 'freeze', frozen }),
    },
  });
  const provider = breakItProvider(counts);
  const others = getRequestListener(fetch);
  return {
    answer: (request, response) =>
      request.url?.startsWith('/v1/') ? provider(request, response) : void others(request, response),
    take(report) {
      if ('available' in report) available = report.available;
      else if ('leaving' in report) endStreams();
      else counts.add(report.counter);
    },
    died(signal) {
      thaw();
      if (signal === 'SIGKILL') counts.add('kills');
    },
  };
}
