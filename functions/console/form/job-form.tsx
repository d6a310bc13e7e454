/** The form that submits a job, then goes to it. */
import { type FormEvent, useEffect, useRef, useState } from 'react';
import { type FieldError, LlmJobsError, type Submission } from '../../../shared/client/client.ts';
import { useLlmJob } from '../../../shared/client/react.ts';
import { CopyAs } from '../copy/copy-as.tsx';
import { Problem } from '../parts/problem.tsx';
import { goTo, hrefTo } from '../route.ts';
import { jobs } from '../service.ts';
import { inWords } from '../words.ts';
import { drafted, freshDraft, type JobForm, useDraft, withJobType, withSubmission } from './draft.ts';
import { Row } from './field-row.tsx';
import { FormFields } from './form-fields.tsx';
import { firstModel, type Model } from './model-field.tsx';
import { placed } from './values.ts';

const JSON_FIELD = { path: '', label: 'The whole submission, as JSON', isRequired: false, help: '' };

export function JobFormView({ forms, models }: { forms: readonly JobForm[]; models: readonly Model[] }) {
  const fresh = () => freshDraft(forms, firstModel(models));
  const [draft, setDraft] = useDraft(forms, fresh);
  const { submit, reset, jobId, status, error: refused, isPending } = useLlmJob({ client: jobs, key: 'llm-jobs.new' });
  const [unreadable, setUnreadable] = useState<LlmJobsError>();
  const element = useRef<HTMLFormElement>(null);

  const form = forms.find(({ jobType }) => jobType === draft.jobType) ?? (forms[0] as JobForm);
  const values = draft.values[draft.jobType] ?? {};
  const { object, wrong } = drafted(form, draft);
  const error = unreadable ?? refused;
  const isJson = draft.json !== undefined;
  const { beside, rest } = placed(isJson ? [] : form.fields, error?.details ?? []);

  useEffect(() => {
    if (!jobId || status === 'idle' || status === 'submitting') return;
    // From here on it is the job's page that follows it.
    reset();
    goTo(hrefTo('jobs', jobId));
  }, [jobId, status, reset]);

  useEffect(() => {
    if (!error || isPending) return;
    const marked = [...(element.current?.querySelectorAll<HTMLElement>('[aria-invalid=true]') ?? [])];
    for (const field of marked) {
      let fold = field.closest('details');
      while (fold) {
        fold.open = true;
        fold = fold.parentElement?.closest('details') ?? null;
      }
    }
    (marked[0] ?? element.current?.querySelector<HTMLElement>('.problem-place'))?.focus();
  }, [error, isPending]);

  function onSubmit(event: FormEvent) {
    event.preventDefault();
    const isReadable = wrong.length === 0;
    const sentence = wrong.map(({ path, message }) => `${path || 'The JSON'} ${message}`).join('; ');
    setUnreadable(isReadable ? undefined : new LlmJobsError('invalid_request', sentence, { details: wrong }));
    if (isReadable) submit(object as Submission);
  }

  function toggleJson() {
    setUnreadable(undefined);
    if (!isJson) return setDraft({ ...draft, json: JSON.stringify(object, undefined, 2) });
    const inForm = wrong[0] ? { wrong: `The JSON ${wrong[0].message}.` } : withSubmission(forms, draft, object);
    if ('draft' in inForm) setDraft(inForm.draft);
    else setUnreadable(new LlmJobsError('invalid_request', inForm.wrong));
  }

  const shared = {
    ...{ values, errors: beside },
    set: (path: string, text: string) =>
      setDraft({ ...draft, values: { ...draft.values, [draft.jobType]: { ...values, [path]: text } } }),
  };

  return (
    <form ref={element} className="job-form" onSubmit={onSubmit} noValidate>
      <div className="problem-place" tabIndex={-1}>
        {error && !isPending && <Refusal error={error} rest={rest} marked={Object.keys(beside).length} />}
      </div>
      {isJson ? (
        <Row field={JSON_FIELD} error={undefined}>
          {(own) => (
            <textarea
              {...own}
              className="json whole"
              spellCheck={false}
              value={draft.json}
              onChange={({ target }) => setDraft({ ...draft, json: target.value })}
            />
          )}
        </Row>
      ) : (
        <FormFields form={form} models={models} {...shared}>
          <Row field={{ path: 'job_type', label: 'Job type', isRequired: false, help: '' }} error={undefined}>
            {(own) => (
              <select
                {...own}
                value={form.jobType}
                onChange={({ target }) => setDraft(withJobType(draft, target.value))}
              >
                {forms.map(({ jobType }) => (
                  <option key={jobType} value={jobType}>
                    {inWords(jobType)}
                  </option>
                ))}
              </select>
            )}
          </Row>
        </FormFields>
      )}
      <div className="row">
        <button type="submit" className="primary" disabled={isPending}>
          {isPending ? 'Submitting…' : 'Submit'}
        </button>
        <button type="button" onClick={toggleJson}>
          {isJson ? 'Edit in the form' : 'Edit as JSON'}
        </button>
        <button type="button" className="quiet" onClick={() => setDraft(fresh())}>
          Start again
        </button>
      </div>
      <p className="unseen" role="status">
        {isPending && 'Submitting'}
      </p>
      <CopyAs submission={object} />
    </form>
  );
}

/** What belongs to no field, and how many are marked. */
function Refusal({ error, rest, marked }: { error: LlmJobsError; rest: FieldError[]; marked: number }) {
  const { code, message, requestId } = error;
  const sentence =
    marked === 0 ? message : `Not submitted: see the ${marked === 1 ? 'field' : `${marked} fields`} marked below.`;
  return <Problem error={new LlmJobsError(code, sentence, { requestId, details: marked === 0 ? [] : rest })} />;
}
