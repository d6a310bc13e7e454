/** Google's Pub/Sub and Firestore emulators as child processes, found through gcloud. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { freePort, isFree, signalGroup, startGroup, stopGroup, untilListening } from './child-processes.ts';

export type EmulatorKind = 'pubsub' | 'firestore';

/** How each emulator is started. */
export type EmulatorCommands = Record<EmulatorKind, (port: number) => [command: string, ...args: string[]]>;

/** A missing piece, in a sentence that says how to get it. */
export class EmulatorsMissing extends Error {}

/** Finds both emulators, or says what is missing and how to install it. */
export function findEmulators(): EmulatorCommands {
  if (spawnSync('java', ['-version']).status !== 0)
    throw new EmulatorsMissing('The emulators need Java 11 or newer (the `java` command).');
  const gcloud = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'gcloud'))
    .find((file) => existsSync(file));
  if (!gcloud)
    throw new EmulatorsMissing('The emulators come with the gcloud command: https://cloud.google.com/sdk/docs/install');
  const platform = join(sdkRoot(gcloud), 'platform');
  const library = join(platform, 'pubsub-emulator', 'lib');
  const jar = existsSync(library) && readdirSync(library).find((file) => /^cloud-pubsub-emulator-.*\.jar$/.test(file));
  const firestore = join(platform, 'cloud-firestore-emulator', 'cloud_firestore_emulator');
  if (!jar || !existsSync(firestore)) {
    throw new EmulatorsMissing(
      'An emulator is missing. Install both: gcloud components install pubsub-emulator cloud-firestore-emulator',
    );
  }
  return {
    pubsub: (port) => ['java', '-jar', join(library, jar), '--host=127.0.0.1', `--port=${port}`],
    firestore: (port) => [firestore, 'start', '--host=127.0.0.1', `--port=${port}`],
  };
}

/** The SDK's folder, from where the command is; asked of gcloud itself (a second) when that is a package's wrapper. */
function sdkRoot(gcloud: string): string {
  const beside = dirname(dirname(realpathSync(gcloud)));
  if (existsSync(join(beside, 'platform'))) return beside;
  const asked = spawnSync('gcloud', ['info', '--format=value(installation.sdk_root)'], { encoding: 'utf8' });
  return asked.stdout?.trim() || beside;
}

/** What runs for minutes is not worth compiling twice: it took half of the emulators' processor time. */
const QUICK_START = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** After its end its port is free in a moment, or somebody else's. */
const PORT_LOOK_MS = 20;
const PORT_LOOKS_MOST = 100;

export type Emulator = {
  /** `127.0.0.1:port`. */
  host: string;
  /** To all its processes: `SIGSTOP` freezes it, `SIGCONT` lets it go on. */
  signal(signal: NodeJS.Signals): void;
  /** Ends it, and all that it held; resolves when its port is free for another one. */
  stop(): Promise<void>;
};

/** Starts one emulator, empty, and resolves when it takes connections. */
export async function startEmulator(commands: EmulatorCommands, kind: EmulatorKind, port?: number): Promise<Emulator> {
  const at = port ?? (await freePort());
  const [command, ...args] = commands[kind](at);
  const options = [process.env.JAVA_TOOL_OPTIONS, ...QUICK_START].filter(Boolean).join(' ');
  const env = { ...process.env, JAVA_TOOL_OPTIONS: options };
  const child = startGroup(command, args, { stdio: 'ignore', env });
  await untilListening(at, child, 60_000);
  return {
    host: `127.0.0.1:${at}`,
    signal: (signal) => signalGroup(child, signal),
    async stop() {
      await stopGroup(child);
      for (let look = 0; look < PORT_LOOKS_MOST && !(await isFree(at)); look++)
        await new Promise((resolve) => setTimeout(resolve, PORT_LOOK_MS));
    },
  };
}
