/** One field of a form: its label, what to know, and what the API has against it. */
import { type ReactNode, useState } from 'react';
import { type Field, leavesOf } from './fields.ts';
import type { Values } from './values.ts';

type RowProps = {
  field: Pick<Field, 'path' | 'label' | 'isRequired' | 'help'>;
  error: string | undefined;
  children: (own: { id: string; 'aria-invalid': boolean; 'aria-describedby': string }) => ReactNode;
  isTick?: boolean;
};

/** Around a control, which takes what makes it belong to its label and its texts. */
export function Row({ field: { path, label, isRequired, help }, error, children, isTick = false }: RowProps) {
  const id = `field-${path}`;
  const own = { id, 'aria-invalid': error !== undefined, 'aria-describedby': `${id}-help ${id}-error` };
  const control = children(own);
  return (
    <div className="field">
      {isTick && control}
      <label htmlFor={id}>
        {label}
        {isRequired && <span className="aside"> (required)</span>}
      </label>
      {!isTick && control}
      <p id={`${id}-help`} className="aside">
        {help}
      </p>
      <p id={`${id}-error`} className="field-error">
        {error}
      </p>
    </div>
  );
}

export type FieldProps = {
  field: Field;
  values: Values;
  errors: Readonly<Record<string, string>>;
  set: (path: string, text: string) => void;
};

export function FieldRow(props: FieldProps) {
  const { field, values, errors, set } = props;
  const { kind, path, choices } = field;
  if (kind === 'group') return <Group {...props} />;
  const value = values[path] ?? '';
  return (
    <Row field={field} error={errors[path]} isTick={kind === 'tick'}>
      {(own) => {
        if (kind === 'tick') {
          const onChange = ({ target }: { target: HTMLInputElement }) => set(path, target.checked ? 'true' : '');
          return <input {...own} type="checkbox" checked={value === 'true'} onChange={onChange} />;
        }
        const given = {
          ...{ ...own, value },
          onChange: ({ target }: { target: { value: string } }) => set(path, target.value),
        };
        if (kind === 'choice') {
          return (
            <select {...given}>
              <option value="">Not given</option>
              {choices.map((choice) => (
                <option key={`${choice}`}>{`${choice}`}</option>
              ))}
            </select>
          );
        }
        if (kind === 'text') return <input {...given} autoComplete="off" />;
        if (kind === 'number') return <input {...given} inputMode="decimal" autoComplete="off" />;
        return <textarea {...given} className={kind} spellCheck={kind === 'long'} />;
      }}
    </Row>
  );
}

/** Open where something in it was filled in before. */
function Group({ field: { label, help, fields }, ...rest }: FieldProps) {
  return (
    <Fold label={label} isFilled={leavesOf(fields).some(({ path }) => rest.values[path])}>
      {help && <p className="aside">{help}</p>}
      {fields.map((field) => (
        <FieldRow key={field.path} field={field} {...rest} />
      ))}
    </Fold>
  );
}

/** Fields that few need. */
export function Fold({
  label,
  isFilled = false,
  children,
}: {
  label: string;
  isFilled?: boolean;
  children: ReactNode;
}) {
  const [isOpen] = useState(isFilled);
  return (
    <details className="fold" open={isOpen}>
      <summary>{label}</summary>
      {children}
    </details>
  );
}
