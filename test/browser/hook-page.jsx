/** @jsxRuntime automatic */
/** A page with one job in Strict Mode, and what a test may do to it. `?limit=500` is the time limit of its hook. */
import { createClient } from 'llm-jobs/client';
import { useLlmJob } from 'llm-jobs/react';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

const limit = new URLSearchParams(location.search).get('limit');
const options = limit ? { timeoutMs: Number(limit) } : {};
/** What the component showed, one after the other. */
const seen = [];
const functions = new Set();

function Job({ name }) {
  const job = useLlmJob({ ...options, key: name });
  const { status, progress, message, text, result, error, jobId, isPending, submit, cancel, resume, reset } = job;
  useEffect(() => {
    seen.push({ status, progress, text, isPending });
    for (const each of [submit, cancel, resume, reset]) functions.add(each);
  });
  Object.assign(window.page, { submit, cancel, resume, reset });
  return (
    <article data-status={status} data-job={jobId}>
      {isPending && <progress value={progress} max={100} title={message} />}
      <p>{text}</p>
      {result && <pre>{result.result}</pre>}
      {error && <strong title={error.code}>{error.message}</strong>}
    </article>
  );
}

function Page() {
  const [isThere, show] = useState(true);
  const [name, call] = useState('job');
  Object.assign(window.page, { show, call });
  return isThere && <Job name={name} />;
}

const jobs = createClient();
window.page = {
  seen,
  functions,
  /** How many jobs there are with this tag. */
  async count(tag) {
    return (await jobs.listPage({ tag })).jobs.length;
  },
};
createRoot(document.getElementById('root')).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
