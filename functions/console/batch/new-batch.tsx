/** Many jobs at once: a prompt a line, or whole submissions. */
import { type FormEvent, useEffect, useRef, useState } from 'react';
import type { LlmJobsError } from '../../../shared/client/client.ts';
import { Row } from '../form/field-row.tsx';
import { firstModel, type Model, ModelField } from '../form/model-field.tsx';
import { keep, readKept } from '../kept.ts';
import { Problem } from '../parts/problem.tsx';
import { goTo, hrefTo } from '../route.ts';
import { countOf } from '../words.ts';
import { type BatchAnswer, leftOf, submissionsIn } from './batch-text.ts';
import { submitBatch } from './submit-batch.ts';

const EXAMPLE = 'Why is the sky blue?\nWhy is the sea salt?\nWhy is snow white?';
const MODEL = {
  ...{ path: 'model_id', label: 'Model', kind: 'text', isRequired: true, help: '' },
  choices: [],
  fields: [],
} as const;
const HELP = 'One a line; or whole submissions, as a JSON array.';
const PROMPTS = { path: 'prompts', label: 'Prompts', isRequired: false, help: HELP };

export function NewBatch({ models }: { models: readonly Model[] }) {
  const [text, setText] = useState(() => (readKept('batch') as string | undefined) ?? EXAMPLE);
  const [model, setModel] = useState(() => firstModel(models));
  const [isSubmitting, setSubmitting] = useState(false);
  const [wrong, setWrong] = useState<string[]>([]);
  const [error, setError] = useState<LlmJobsError>();
  const [accepted, setAccepted] = useState<BatchAnswer>();
  const area = useRef<HTMLDivElement>(null);
  const isRight = wrong.length === 0;
  /** Until there was an answer, the same again is the same batch. */
  const key = useRef({ text: '', key: '' });
  useEffect(() => keep('batch', text), [text]);
  useEffect(() => {
    if (!isRight) area.current?.querySelector('textarea')?.focus();
  }, [isRight]);

  async function onSubmit(event: FormEvent) {
    event.preventDefault();
    setError(undefined);
    setWrong([]);
    let jobs: unknown[];
    try {
      jobs = submissionsIn(text, model);
    } catch (error) {
      return setWrong([`It ${(error as Error).message}`]);
    }
    setSubmitting(true);
    const asText = JSON.stringify(jobs);
    if (key.current.text !== asText) key.current = { text: asText, key: crypto.randomUUID() };
    try {
      const answer = await submitBatch(jobs, key.current.key);
      key.current = { text: '', key: '' };
      if (answer.rejected === 0) return goTo(hrefTo('batches', answer.batch_id));
      const left = leftOf(text, answer.items);
      setText(left.text);
      setWrong(left.wrong);
      if (answer.accepted > 0) setAccepted(answer);
    } catch (error) {
      setError(error as LlmJobsError);
    } finally {
      setSubmitting(false);
    }
  }

  return (
    <form className="job-form" onSubmit={onSubmit} noValidate>
      {error && <Problem error={error} />}
      <p role="status">
        {accepted && (
          <>
            {countOf(accepted.accepted)} accepted: <a href={hrefTo('batches', accepted.batch_id)}>their batch</a>. What
            is left here was not.
          </>
        )}
      </p>
      <div ref={area}>
        <Row field={PROMPTS} error={isRight ? undefined : wrong.join('\n')}>
          {(own) => <textarea {...own} value={text} onChange={({ target }) => setText(target.value)} />}
        </Row>
      </div>
      <ModelField
        field={MODEL as never}
        models={models}
        values={{ model_id: model }}
        errors={{}}
        set={(_, name) => setModel(name)}
      />
      <button type="submit" className="primary" disabled={isSubmitting}>
        {isSubmitting ? 'Submitting…' : 'Submit the batch'}
      </button>
    </form>
  );
}
