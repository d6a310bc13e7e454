/** How far a job is: what it does or waits for, and the stages that were seen here. */
import type { JobView } from '../../../shared/client/client.ts';
import type { FollowedJob } from '../../../shared/client/followed-job.ts';
import { useNow } from '../ticking.ts';
import { agoOf, inWords, timeOf } from '../words.ts';
import type { SeenStage } from './shown-job.ts';

type Progress = { followed: FollowedJob; job: JobView; stages: readonly SeenStage[] };

export function JobProgress({ followed: { progress, message }, job, stages }: Progress) {
  const { is_complete, next_attempt_at, created_at, completed_at, cancel_requested_at } = job;
  return (
    <>
      {!is_complete && (
        <label className="job-progress">
          {`Progress: ${progress} %`}
          <progress max={100} value={progress} />
        </label>
      )}
      {!is_complete && (
        <p>
          {message}
          {next_attempt_at && `. Next try at ${timeOf(next_attempt_at)}`}
          {cancel_requested_at && ' (its end was asked for)'}.
        </p>
      )}
      {job.payloads_removed_at && <p>{message}</p>}
      <p className="aside">
        {`Created ${timeOf(created_at)}, `}
        {completed_at ? `over since ${timeOf(completed_at)}` : <Ago instant={created_at} />}.
      </p>
      {stages.length > 0 && (
        <>
          <h2>Stages</h2>
          <ol className="stages">
            {stages.map(({ stage, sinceMs }, index) => (
              <li
                key={`${sinceMs} ${stage}`}
                aria-current={!is_complete && index === stages.length - 1 ? 'step' : undefined}
              >
                {inWords(stage)}{' '}
                {sinceMs !== undefined && <span className="aside">{timeOf(new Date(sinceMs).toISOString())}</span>}
              </li>
            ))}
          </ol>
        </>
      )}
    </>
  );
}

/** Goes on by itself, and asks for nothing. */
function Ago({ instant }: { instant: string }) {
  return agoOf(instant, useNow());
}
