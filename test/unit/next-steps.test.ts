/** What a start says: only what can be called. */
import { expect, test } from 'vitest';
import { nextSteps } from '../../infra/next-steps.ts';
import { readConfig } from '../../shared/config.ts';

const URL = 'http://127.0.0.1:8080';

test.each([
  [{}, true, false, true],
  [{ SURFACES: 'llm-jobs' }, true, false, true],
  [{ CONSOLE: 'false' }, true, false, false],
  [{ SURFACES: 'structured-extraction,prompt-generation' }, false, true, false],
])('with %j', (environment: Record<string, string>, submits, docs, page) => {
  const words = nextSteps(URL, 'a note', readConfig(environment));
  expect(words).toContain(`llm-jobs is ready at ${URL} (a note;`);
  expect([words.includes('/api/llm/'), words.includes(`${URL}/docs`)]).toEqual([submits, docs]);
  expect(words.includes('its console')).toBe(page);
});
