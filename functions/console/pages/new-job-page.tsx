/** A new job: a form for each job type, made from the schema of a submission. */
import { useAsked } from '../asked.ts';
import { loadSubmission } from '../copy/load-submission.ts';
import { formsOf, type JobForm, keepDraft, withSubmission } from '../form/draft.ts';
import type { JsonSchema } from '../form/fields.ts';
import { JobFormView } from '../form/job-form.tsx';
import type { Model } from '../form/model-field.tsx';
import { Loading } from '../parts/empty.tsx';
import { Problem } from '../parts/problem.tsx';
import { goTo, hrefTo } from '../route.ts';
import { jobs } from '../service.ts';
import '../style/form.css';

/** They stay the same as long as the page is open. */
let forms: readonly JobForm[] | undefined;

async function loadForms(signal: AbortSignal): Promise<readonly JobForm[]> {
  const path = '/api/llm/schemas/published-submission.json';
  forms ??= formsOf(await jobs.request<JsonSchema>({ path }, { signal }));
  return forms;
}

/** `like` is the id of a job that this one is to be like. */
export function NewJobPage({ like }: { like: string }) {
  const { answer, error, again } = useAsked(like, async (signal) => {
    const [forms, { models }] = await Promise.all([
      loadForms(signal),
      jobs.request<{ models: Model[] }>({ path: '/api/llm/models/' }, { signal }),
    ]);
    if (like !== '') {
      const { submission } = await loadSubmission(like, signal);
      const filled = withSubmission(forms, { values: {} }, submission);
      const json = JSON.stringify(submission, undefined, 2);
      keepDraft('draft' in filled ? filled.draft : { jobType: forms[0]?.jobType ?? '', values: {}, json });
      // Once: what is typed from here on is not written over when the page is loaded again.
      goTo(hrefTo('new'), { replace: true });
    }
    return { forms, models };
  });
  return (
    <>
      <h1>New job</h1>
      {answer && like === '' ? (
        <JobFormView {...answer} />
      ) : error ? (
        <>
          <Problem error={error} again={again} />
          {like !== '' && <a href={hrefTo('new')}>Go on without the input of that job</a>}
        </>
      ) : (
        <Loading what="the form" />
      )}
    </>
  );
}
