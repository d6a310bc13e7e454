/** One job: as it happens, and what became of it. */
import type { LlmJobsError } from '../../../shared/client/client.ts';
import { CopyAs } from '../copy/copy-as.tsx';
import { JobActions } from '../job/actions.tsx';
import { Answer } from '../job/answer.tsx';
import { Attempts } from '../job/attempts.tsx';
import { Deliveries, type DeliveryLog } from '../job/deliveries.tsx';
import { JobFacts } from '../job/facts.tsx';
import { JobProgress } from '../job/progress.tsx';
import { useShownJob } from '../job/use-shown-job.ts';
import { CopyButton } from '../parts/copy-button.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { OnDemand } from '../parts/on-demand.tsx';
import { Problem } from '../parts/problem.tsx';
import { Scrolled } from '../parts/scrolled.tsx';
import { StatusBadge } from '../parts/status-badge.tsx';
import { reasonOf } from '../reasons.ts';
import { hrefTo } from '../route.ts';
import { jobs } from '../service.ts';
import { inWords, STATUS_WORDS } from '../words.ts';
import '../style/job.css';

export function JobPage({ id }: { id: string }) {
  const { shown, hear, again } = useShownJob(id);
  const { problem, isDeleted, stages, followed } = shown;
  const { job, error } = followed;
  if (isDeleted) return <Gone title="The job was deleted." />;
  if (problem?.code === 'job_not_found') {
    return <Gone title="There is no such job.">It was deleted, has expired, or is somebody else's.</Gone>;
  }
  if (!job) {
    return (
      <>
        <h1>Job</h1>
        {problem ? <Problem error={problem} again={again} /> : <Loading what="the job" />}
      </>
    );
  }
  const path = `/api/llm/jobs/${id}/`;
  return (
    <>
      <h1>
        {inWords(job.job_type)} <StatusBadge status={job.status} />
      </h1>
      <p className="row">
        <code>{id}</code>
        <CopyButton text={id}>Copy the id</CopyButton>
      </p>
      <p className="unseen" role="status">
        {`The job: ${STATUS_WORDS[job.status]}.`}
      </p>
      {problem && <Problem error={problem} again={again} />}
      <JobActions job={job} hear={hear} />
      <JobProgress followed={followed} job={job} stages={stages} />
      {error && <Failure error={error} />}
      <Answer shown={shown} job={job} />
      <h2>Attempts</h2>
      <Attempts attempts={job.attempts} />
      <h2>About it</h2>
      <JobFacts job={job} />
      <OnDemand
        title="Input"
        ask={(signal) => jobs.request<{ input_data: unknown }>({ path: `${path}input/`, jobId: id }, { signal })}
      >
        {({ input_data }) => (
          <Scrolled label="Input, JSON">
            <pre>{JSON.stringify(input_data, null, 2)}</pre>
          </Scrolled>
        )}
      </OnDemand>
      <CopyAs jobId={id} />
      {job.urls.deliveries && (
        <OnDemand
          title="Webhook"
          ask={(signal) => jobs.request<DeliveryLog>({ path: `${path}deliveries/`, jobId: id }, { signal })}
        >
          {Deliveries}
        </OnDemand>
      )}
    </>
  );
}

function Gone({ title, children }: { title: string; children?: string }) {
  return (
    <>
      <h1>Job</h1>
      <div role="status">
        <Empty title={title}>
          {children && <p>{children}</p>}
          <a href={hrefTo('jobs')}>All jobs</a>
        </Empty>
      </div>
    </>
  );
}

/** Why it failed: in plain words, and in the API's own. */
function Failure({ error: { code, message } }: { error: LlmJobsError }) {
  const reason = reasonOf(code);
  return (
    <section className="problem" aria-labelledby="why">
      <h2 id="why">{reason?.title ?? 'It failed'}</h2>
      <p>{message}</p>
      {reason?.advice && <p>{reason.advice}</p>}
      <p className="aside">{code}</p>
    </section>
  );
}
