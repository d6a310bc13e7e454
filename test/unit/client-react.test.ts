/** The React hook where there is no page: a server that renders one. */
import { createElement } from 'react';
import { expect, test } from 'vitest';
import { type LlmJob, useLlmJob } from '../../shared/client/react.ts';

// It brings no types.
const SERVER = 'react-dom/server';

test('what a tab kept is not in the first render of its page, which must be what the server rendered', async () => {
  const { renderToString } = (await import(SERVER)) as { renderToString(element: unknown): string };
  const jobId = crypto.randomUUID();
  const storage = { getItem: () => JSON.stringify({ jobId }), setItem: () => {}, removeItem: () => {} };
  const Answer = () => createElement('p', null, useLlmJob({ storage }).status);
  expect(renderToString(createElement(Answer))).toBe('<p>idle</p>');
});

test('a server renders the component before anything was submitted, and needs no origin for that', async () => {
  const { renderToString } = (await import(SERVER)) as { renderToString(element: unknown): string };
  let job: LlmJob | undefined;
  function Answer() {
    job = useLlmJob();
    return createElement('p', null, job.status, job.text);
  }
  expect(renderToString(createElement(Answer))).toBe('<p>idle</p>');
  expect(job).toMatchObject({ jobId: undefined, progress: 0, error: undefined, isPending: false });
});
