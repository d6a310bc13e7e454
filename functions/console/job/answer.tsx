/** The answer of a job: its text as it comes, then the result. */
import { useLayoutEffect, useRef, useState } from 'react';
import type { JobView } from '../../../shared/client/client.ts';
import { CopyButton } from '../parts/copy-button.tsx';
import { OnDemand } from '../parts/on-demand.tsx';
import { Scrolled } from '../parts/scrolled.tsx';
import { jobs } from '../service.ts';
import { bytesOf, resultParts } from './result-parts.ts';
import type { ShownJob } from './shown-job.ts';

/** More than that is shown when it is asked for: a page of megabytes is slow. */
const SHOWN_MOST = 100_000;
/** So near the end one is reading along. */
const NEAR_PX = 32;

export function Answer({ shown: { followed }, job }: { shown: ShownJob; job: JobView }) {
  const { text } = followed;
  const { result_data, result_bytes, payloads_removed_at, rejected_text, job_id } = job;
  return (
    <>
      {job.status !== 'completed' && text !== '' && (
        <section aria-labelledby="text-so-far">
          <h2 id="text-so-far">{job.is_complete ? 'Text that had come' : 'Text so far'}</h2>
          <LiveText text={text} />
        </section>
      )}
      {result_data !== undefined && <Result data={result_data} />}
      {result_data === undefined && result_bytes !== undefined && !payloads_removed_at && (
        <OnDemand
          title={`Load the result (${bytesOf(result_bytes)})`}
          ask={(signal) => jobs.result(job_id, { signal })}
        >
          {({ result_data }) => <Result data={result_data} />}
        </OnDemand>
      )}
      {rejected_text !== undefined && <Part title="The answer that could not be used" text={rejected_text} />}
    </>
  );
}

/** Follows the end while one is at the end, and stays where one reads. */
function LiveText({ text }: { text: string }) {
  const place = useRef<HTMLPreElement>(null);
  /** How tall it was when one could last see its end. */
  const height = useRef(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each text that is longer moves the end
  useLayoutEffect(() => {
    const { current: pre } = place;
    if (!pre) return;
    // As it stands now, not as the last event of scrolling had it, which comes late.
    if (height.current - pre.scrollTop - pre.clientHeight < NEAR_PX) pre.scrollTop = pre.scrollHeight;
    height.current = pre.scrollHeight;
  }, [text]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without focus the keyboard could not scroll it
    <pre ref={place} className="live-text" tabIndex={0}>
      {text}
    </pre>
  );
}

function Result({ data }: { data: unknown }) {
  const { text, more } = resultParts(data);
  return (
    <>
      <Part title="Result" text={text} />
      {more !== undefined && <Part title="More about the answer" text={more} />}
    </>
  );
}

function Part({ title, text }: { title: string; text: string }) {
  const [isWhole, setWhole] = useState(text.length <= SHOWN_MOST);
  return (
    <section aria-label={title}>
      <h2>{title}</h2>
      <Scrolled label={`${title}, text`}>
        <pre>{isWhole ? text : text.slice(0, SHOWN_MOST)}</pre>
      </Scrolled>
      <div className="row">
        <CopyButton text={text}>{`Copy ${title.toLowerCase()}`}</CopyButton>
        {!isWhole && (
          <button type="button" onClick={() => setWhole(true)}>
            {`Show all of it (${bytesOf(text.length)})`}
          </button>
        )}
      </div>
    </section>
  );
}
