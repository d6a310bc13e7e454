/** What the client costs a page: 6 KB, as they go over the wire. */
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { buildClientScript } from '../../infra/client-script.ts';

const MOST_BYTES = 6 * 1_024;

test('the client is bundled, minified and gzipped under 6 KB', async () => {
  const script = await buildClientScript();
  const bytes = gzipSync(script, { level: 9 }).length;
  // Past the console, which is silent about tests that pass.
  process.stdout.write(`llm-jobs/client: ${bytes} bytes gzipped, of ${MOST_BYTES}; ${script.length} minified\n`);
  expect(bytes).toBeGreaterThan(1_000);
  expect(bytes).toBeLessThan(MOST_BYTES);
});
