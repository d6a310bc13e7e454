/** One function as its own functions-framework process, started again when it dies, as Cloud Run would. */
import type { ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { bundleOf, entryPointOf, type FunctionName } from './bundle.ts';
import { freePort, startGroup, stopGroup, untilListening } from './child-processes.ts';

const frameworkMain = createRequire(import.meta.url).resolve('@google-cloud/functions-framework');

/** A function that dies again and again is started less and less often. */
const RESTART_LEAST_MS = 100;
const RESTART_MOST_MS = 5_000;
const LIVED_WELL_MS = 10_000;

/** What functions-framework prints at every start. */
const FRAMEWORK_GREETING = /^(Serving function\.\.\.|Function: |Signature type: |URL: )/;

export type FunctionProcess = {
  name: FunctionName;
  url: string;
  /** The process that serves now. */
  child(): ChildProcess;
  stop(): Promise<void>;
};

export type FunctionProcessOptions = {
  name: FunctionName;
  /** The folder of its bundle; absent: what `npm run build` makes. */
  bundle?: string | undefined;
  environment: Record<string, string>;
  signatureType?: 'http' | 'cloudevent';
  onLine: (line: string) => void;
};

/** Starts a function's bundle and resolves when it takes connections. */
export async function startFunction(options: FunctionProcessOptions): Promise<FunctionProcess> {
  const port = await freePort();
  let stopped = false;
  let pauseMs = RESTART_LEAST_MS;
  let child = launch();
  await untilListening(port, child, 20_000).catch(async (error: unknown) => {
    stopped = true;
    await stopGroup(child);
    throw error;
  });

  function launch(): ChildProcess {
    const { name, bundle = bundleOf(name), signatureType = 'http', environment } = options;
    const args = [
      `--source=${bundle}`,
      `--target=${entryPointOf(name)}`,
      `--port=${port}`,
      `--signature-type=${signatureType}`,
    ];
    const startedMs = performance.now();
    const started = startGroup(
      process.execPath,
      ['--enable-source-maps', frameworkMain.replace(/index\.js$/, 'main.js'), ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // Without the last one the clients look for Google's metadata server for seconds.
        env: { ...process.env, ...environment, METADATA_SERVER_DETECTION: 'none' },
      },
    );
    for (const stream of [started.stdout, started.stderr]) {
      let rest = '';
      stream?.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '' && !FRAMEWORK_GREETING.test(line)) options.onLine(line);
      });
    }
    started.once('exit', (code, signal) => {
      if (stopped) return;
      options.onLine(`${name} died (${code ?? signal}); starting it again`);
      const livedMs = performance.now() - startedMs;
      pauseMs = livedMs > LIVED_WELL_MS ? RESTART_LEAST_MS : Math.min(2 * pauseMs, RESTART_MOST_MS);
      setTimeout(() => {
        if (!stopped) child = launch();
      }, pauseMs);
    });
    return started;
  }

  return {
    name: options.name,
    url: `http://127.0.0.1:${port}`,
    child: () => child,
    async stop() {
      stopped = true;
      await stopGroup(child);
    },
  };
}
