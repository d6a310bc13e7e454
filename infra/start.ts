/**
 * `npm start`: starts the service as a process of its own and starts it again when it is killed, so that it can be killed
 * from its own console. Ends as the service ends. Imports little: the service's start does not wait for it.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { constants } from 'node:os';
import { extname, join } from 'node:path';
import type { StartedBreakIt } from './break-it-supervised.ts';
import { type Order, type Report, SUPERVISOR } from './supervised.ts';

/** What kills a process and is no wish of anybody that it should end. */
const DEATHS: readonly unknown[] = ['SIGKILL', 'SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP'];
/** From one start to the next. */
const RESTART_LEAST_MS = 1_000;
/** The answer to whoever asked for the kill goes out first, through the process that is killed. */
const ANSWER_FIRST_MS = 200;

async function main(): Promise<void> {
  let service: ChildProcess | undefined;
  let restarting: NodeJS.Timeout | undefined;
  let isStopping = false;
  /** Nobody else knows the address: another page cannot ask it. */
  const secret = `/${crypto.randomUUID()}`;
  let breakIt: StartedBreakIt | undefined;
  let loading: Promise<StartedBreakIt> | undefined;
  /** Not before the service listens, whose start would wait for it. */
  const loaded = () => {
    loading ??= import('./break-it-supervised.ts').then(({ startBreakIt }) => {
      const kill = () => void setTimeout(() => service?.kill('SIGKILL'), ANSWER_FIRST_MS);
      breakIt = startBreakIt({ order, kill });
      return breakIt;
    });
    return loading;
  };
  const answer: RequestListener = async (request, response) => {
    if (!request.url?.startsWith(secret)) return void response.writeHead(404).end();
    request.url = request.url.slice(secret.length);
    (await loaded()).answer(request, response);
  };
  const server = createServer((request, response) => void answer(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${secret}`;

  const order = (said: Order) => void service?.send(said, () => {});
  function launch(): void {
    const startedMs = performance.now();
    const program = join(import.meta.dirname, `local${extname(import.meta.filename)}`);
    service = fork(program, [SUPERVISOR, url]);
    service.on('message', (report) => void loaded().then(({ take }) => take(report as Report)));
    service.once('exit', (code, signal) => {
      service = undefined;
      breakIt?.died(signal);
      if (isStopping || !DEATHS.includes(signal)) process.exit(code ?? 128 + constants.signals[signal ?? 'SIGKILL']);
      console.log(`The service died (${signal}); starting it again`);
      restarting = setTimeout(launch, RESTART_LEAST_MS - (performance.now() - startedMs));
    });
  }

  // Its lines are nobody's affair any more (`npm start | head`); the service is.
  process.stdout.on('error', () => {});
  // A terminal sends Ctrl-C to both; one that was told twice stops once.
  const stop = () => {
    isStopping = true;
    clearTimeout(restarting);
    if (!service) process.exit(0);
    order({ order: 'stop' });
  };
  process.on('SIGINT', stop).on('SIGTERM', stop);

  launch();
}

if (process.argv[1] === import.meta.filename) await main();
