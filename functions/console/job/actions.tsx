/** What can be done with a job. */
import { useRef, useState } from 'react';
import type { JobView, LlmJobsError } from '../../../shared/client/client.ts';
import { errorOf } from '../../../shared/client/followed-job.ts';
import { Button } from '../parts/button.tsx';
import { Problem } from '../parts/problem.tsx';
import { goTo, hrefTo } from '../route.ts';
import { jobs } from '../service.ts';
import type { FollowedPage } from './use-shown-job.ts';

export function JobActions({ job, hear }: { job: JobView; hear: FollowedPage['hear'] }) {
  const { job_id: id, is_complete, cancel_requested_at } = job;
  const asking = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const [said, say] = useState('');
  const [error, setError] = useState<LlmJobsError>();

  async function act(deed: () => Promise<void>): Promise<void> {
    setBusy(true);
    setError(undefined);
    say('');
    try {
      await deed();
    } catch (cause) {
      setError(errorOf(cause, id));
    } finally {
      setBusy(false);
    }
  }
  const cancel = () =>
    act(async () => {
      const view = await jobs.cancel(id);
      hear({ view, atMs: Date.now() });
      say(view.is_complete ? '' : 'Its end was asked for.');
    });
  const retry = () => act(async () => goTo(hrefTo('jobs', (await jobs.retry(id)).job_id)));
  const remove = () => {
    asking.current?.close();
    return act(async () => {
      await jobs.delete(id);
      hear({ deleted: true });
      // All that could have the focus goes.
      document.querySelector('main')?.focus();
    });
  };

  return (
    <>
      <div className="row">
        <Button isOff={isBusy || is_complete || cancel_requested_at !== undefined} onClick={cancel}>
          Cancel
        </Button>
        <Button isOff={isBusy || job.urls.retry === undefined} onClick={retry}>
          Retry
        </Button>
        <Button className="danger" isOff={isBusy} onClick={() => asking.current?.showModal()}>
          Delete
        </Button>
        <a className="button" href={hrefTo('new', { like: id })}>
          Use as a new job
        </a>
        <span role="status">{said}</span>
      </div>
      {error && <Problem error={error} />}
      <dialog ref={asking} aria-labelledby="delete-question">
        <h2 id="delete-question">Delete this job?</h2>
        <p>
          {is_complete ? '' : 'It is cancelled, and a call that runs is broken off. '}
          Its input and result are gone for good.
        </p>
        <div className="row">
          <button type="button" onClick={() => asking.current?.close()}>
            Keep it
          </button>
          <button type="button" className="danger" onClick={remove}>
            Delete it
          </button>
        </div>
      </dialog>
    </>
  );
}
