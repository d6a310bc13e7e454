/** Says once when there is no browser for the tests that need one; where everything must run, that is an error. */
import { findChromium } from './chromium.ts';

export default function setup(): void {
  if (findChromium()) return;
  const missing = 'The browser tests need Chromium or Chrome, on the PATH or where CHROMIUM_PATH says.';
  if (process.env.CI) throw new Error(missing);
  console.warn(`\nNOT RUN: the browser tests. ${missing}\n`);
}
