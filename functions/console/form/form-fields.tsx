/** The fields of one job type: its input first, then what any job may say of itself. */
import { type ReactNode, useState } from 'react';
import type { JobForm } from './draft.ts';
import { type FieldProps, FieldRow, Fold } from './field-row.tsx';
import type { Field } from './fields.ts';
import { type Model, ModelField } from './model-field.tsx';

/** As many fields of an input are shown at once; of more, those that are filled in. */
const AT_ONCE = 6;

type Shared = Omit<FieldProps, 'field'>;
type FormFieldsProps = Shared & {
  form: JobForm;
  models: readonly Model[];
  /** What stands before the fields. */
  children: ReactNode;
};

export function FormFields({ form, models, children, ...shared }: FormFieldsProps) {
  const [model, input, ...envelope] = form.fields;
  return (
    <>
      <div className="columns">
        {children}
        {model && <ModelField field={model} models={models} {...shared} />}
      </div>
      <Fields key={form.jobType} inputs={input?.fields ?? []} envelope={envelope} {...shared} />
    </>
  );
}

function Fields({ inputs, envelope, ...shared }: Shared & { inputs: readonly Field[]; envelope: readonly Field[] }) {
  // No field changes its place while somebody types.
  const [atFirst] = useState(shared.values);
  const isFirst = ({ path, isRequired }: Field) => inputs.length <= AT_ONCE || isRequired || Boolean(atFirst[path]);
  const isStream = ({ path }: Field) => path === 'stream';
  const rows = (fields: readonly Field[]) =>
    fields.map((field) => <FieldRow key={field.path} field={field} {...shared} />);
  const others = inputs.filter((field) => !isFirst(field));
  const more = envelope.filter((field) => !isStream(field));
  return (
    <>
      {rows(inputs.filter(isFirst))}
      {others.length > 0 && <Fold label="More of the input">{rows(others)}</Fold>}
      {rows(envelope.filter(isStream))}
      <Fold label="More: tags, clocks, webhook, other models…" isFilled={more.some(({ path }) => atFirst[path])}>
        {rows(more)}
      </Fold>
    </>
  );
}
