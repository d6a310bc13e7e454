/** What is known of a job: what its submitter said, when what happened, and what it cost. */
import type { JobView } from '../../../shared/client/client.ts';
import { type Fact, FactList } from '../parts/fact-list.tsx';
import { hrefTo } from '../route.ts';
import { costOf, countOf, durationOf, inWords, timeOf } from '../words.ts';
import { bytesOf } from './result-parts.ts';

const BILLING: Readonly<Record<NonNullable<JobView['billing']>, string>> = {
  none: 'Nothing was charged',
  possible: 'The provider may have charged more than is shown',
  final: 'All of it is shown',
};

const CLOCKS = ['start_within', 'timeout', 'attempt_timeout', 'idle_timeout', 'cache_ttl_seconds'] as const;

export function JobFacts({ job }: { job: JobView }) {
  const { usage, cost, cost_estimated, fallbacks, metadata, cached, answer_created_at } = job;
  const at = (time: string | undefined) => time && timeOf(time);
  return (
    <>
      <FactList
        facts={[
          ['Type', inWords(job.job_type)],
          ['Model', `${job.model.name} (${job.model.provider})`],
          ['Created', at(job.created_at)],
          ['Started', at(job.started_at)],
          ['Ended', at(job.completed_at)],
          ['Took', job.processing_time !== undefined && durationOf(job.processing_time)],
          ['Cost', cost !== undefined && `${costOf(cost)}${cost_estimated ? ', in part an estimate' : ''}`],
          ['Tokens', usage && tokens(usage)],
          ['Billing', job.billing && BILLING[job.billing]],
          [
            'From the cache',
            cached && `The answer of an equal job${answer_created_at ? ` of ${at(answer_created_at)}` : ''}`,
          ],
          ['Retry of', job.retry_of && <JobLink id={job.retry_of} />],
          ['Retried as', job.retried_as && <JobLink id={job.retried_as} />],
        ]}
      />
      <h2>What was submitted</h2>
      <FactList
        facts={[
          ['Tags', job.tags?.length && job.tags.map((tag) => <TagLink key={tag} tag={tag} />)],
          ...Object.entries(metadata ?? {}).map(([name, value]): Fact => [`metadata.${name}`, value]),
          ['Batch', job.batch_id && <a href={hrefTo('batches', job.batch_id)}>{job.batch_id}</a>],
          ...(['question_id', 'project_id', 'arm'] as const).map((name): Fact => [inWords(name), job[name]]),
          ['Fallbacks', fallbacks?.map(({ name }) => name).join(', ')],
          ['Max cost', job.max_cost !== undefined && costOf(job.max_cost)],
          ...(['stream', 'background'] as const).map((name): Fact => [inWords(name), job[name] && 'Yes']),
          ...CLOCKS.map((name): Fact => [inWords(name), job[name] !== undefined && durationOf(job[name])]),
          ['Kept', job.store === false ? 'Input and result not kept' : `for ${daysOf(job.ttl_seconds)} after its end`],
          ['Removed', at(job.payloads_removed_at)],
          ['Gone from', at(job.expires_at)],
          ['Size of the result', job.result_bytes !== undefined && bytesOf(job.result_bytes)],
        ]}
      />
    </>
  );
}

function JobLink({ id }: { id: string }) {
  return <a href={hrefTo('jobs', id)}>{id}</a>;
}

function TagLink({ tag }: { tag: string }) {
  return (
    <a className="tag" href={hrefTo('jobs', { tag })}>
      {tag}
    </a>
  );
}

function tokens({ input_tokens, output_tokens, cached_input_tokens, reasoning_tokens }: NonNullable<JobView['usage']>) {
  const also = [
    cached_input_tokens && `${countOf(cached_input_tokens)} of the input from the cache`,
    reasoning_tokens && `${countOf(reasoning_tokens)} of the output to reason`,
  ].filter(Boolean);
  return [`${countOf(input_tokens)} in`, `${countOf(output_tokens)} out`, ...also].join(', ');
}

function daysOf(seconds: number): string {
  return seconds < 172_800 ? durationOf(seconds) : `${Math.round(seconds / 86_400)} days`;
}
