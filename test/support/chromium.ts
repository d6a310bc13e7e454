/** The browser of the browser tests: Chromium or Chrome, as it is installed. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Where it is: as `CHROMIUM_PATH` says, or on the `PATH`; `undefined` where there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM_PATH, PATH = '' } = process.env;
  const onPath = PATH.split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)));
  return [...(CHROMIUM_PATH ? [CHROMIUM_PATH] : []), ...onPath].find((path) => existsSync(path));
}

/** Starts it, as it runs in a container, too. */
export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  const args = ['--no-sandbox', '--disable-dev-shm-usage'];
  return chromium.launch({ ...(executablePath ? { executablePath } : {}), args });
}
