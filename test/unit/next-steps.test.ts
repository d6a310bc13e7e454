/** What a start says: only what can be called. */
import { expect, test } from 'vitest';
import { nextSteps } from '../../infra/next-steps.ts';
import { readConfig } from '../../shared/config.ts';

const URL = 'http://127.0.0.1:8080';

test.each([
  [{}, true, false],
  [{ SURFACES: 'llm-jobs' }, true, false],
  [{ SURFACES: 'structured-extraction,prompt-generation' }, false, true],
])('with %j', (environment: Record<string, string>, submits, docs) => {
  const words = nextSteps(URL, 'a note', readConfig(environment));
  expect(words).toContain(`llm-jobs is ready at ${URL} (a note;`);
  expect([words.includes('/api/llm/'), words.includes(`${URL}/docs`)]).toEqual([submits, docs]);
});
