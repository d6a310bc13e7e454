/** The fields that narrow the list; a choice counts at once, a text when it is sent. */
import { type ReactNode, useEffect, useRef } from 'react';
import type { LlmJobsError } from '../../../shared/client/client.ts';
import { goTo, hrefTo } from '../route.ts';
import { inWords, STATUS_WORDS, STATUSES } from '../words.ts';
import { type FilterName, type Filters, JOB_TYPES } from './filters.ts';

export function FilterForm({ filters, error }: { filters: Filters; error: LlmJobsError | undefined }) {
  const form = useRef<HTMLFormElement>(null);
  const key = JSON.stringify(filters);
  // The address may change by a link, or by *Back*.
  useEffect(() => {
    const given: Filters = JSON.parse(key);
    for (const field of form.current?.querySelectorAll<HTMLInputElement>('[name]') ?? []) {
      field.value = given[field.name as FilterName] ?? '';
    }
  }, [key]);

  const about = (name: FilterName) => {
    const wrong = error?.details?.find(({ path }) => path === name)?.message;
    return {
      name,
      wrong,
      field: {
        id: `filter-${name}`,
        name,
        'aria-invalid': wrong !== undefined,
        'aria-describedby': wrong && `${name}-wrong`,
      },
    };
  };
  const choose = (name: FilterName, label: string, choices: [string, string][]) => {
    const { field, ...rest } = about(name);
    return (
      <Field label={label} {...rest}>
        <select {...field} onChange={() => form.current?.requestSubmit()}>
          <option value="">All</option>
          {choices.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </Field>
    );
  };
  const enter = (name: FilterName, label: string) => {
    const { field, ...rest } = about(name);
    return (
      <Field label={label} {...rest}>
        <input {...field} autoComplete="off" spellCheck={false} />
      </Field>
    );
  };

  return (
    <form
      ref={form}
      className="filters"
      aria-label="Filters"
      onSubmit={(event) => {
        event.preventDefault();
        const fields = [...new FormData(event.currentTarget)].map(([name, value]) => [name, String(value).trim()]);
        goTo(hrefTo('jobs', { ...filters, ...Object.fromEntries(fields) }));
      }}
    >
      {choose(
        'status',
        'Status',
        STATUSES.map((status) => [status, STATUS_WORDS[status]]),
      )}
      {choose(
        'job_type',
        'Job type',
        JOB_TYPES.map((type) => [type, inWords(type)]),
      )}
      {enter('model', 'Model')}
      {enter('tag', 'Tag')}
      {enter('batch_id', 'Batch')}
      <button type="submit">Filter</button>
      {key !== '{}' && (
        <a className="button" href={hrefTo('jobs')}>
          Clear filters
        </a>
      )}
    </form>
  );
}

function Field({
  label,
  name,
  wrong,
  children,
}: {
  label: string;
  name: string;
  wrong: string | undefined;
  children: ReactNode;
}) {
  return (
    <div className="filter">
      <label htmlFor={`filter-${name}`}>{label}</label>
      {children}
      {wrong && (
        <p id={`${name}-wrong`} className="wrong">
          {wrong}
        </p>
      )}
    </div>
  );
}
