/** Which model: one of the catalog, or any by its name. */
import { useState } from 'react';
import { type FieldProps, Row } from './field-row.tsx';

export type Model = { id: string; name: string; model: string; available: boolean; unavailable_reason?: string };

const BY_NAME = '\0';

/** What a newcomer's job runs on. */
export function firstModel(models: readonly Model[]): string {
  const there = models.filter(({ available }) => available);
  return (there.find(({ model }) => model === 'simulated') ?? there[0])?.model ?? '';
}

export function ModelField({ field, models, values, errors, set }: FieldProps & { models: readonly Model[] }) {
  const { path, isRequired } = field;
  const value = values[path] ?? '';
  const known = models.find(({ id, name, model }) => [model, id, name].includes(value));
  const [isByName, setByName] = useState(false);
  const asName = isByName || (value !== '' && !known);
  const error = errors[path];
  return (
    <>
      <Row field={{ ...field, label: 'Model', help: '' }} error={asName ? undefined : error}>
        {(own) => (
          <select
            {...own}
            value={asName ? BY_NAME : (known?.model ?? '')}
            onChange={({ target }) => {
              setByName(target.value === BY_NAME);
              if (target.value !== BY_NAME) set(path, target.value);
            }}
          >
            {(!isRequired || value === '') && (
              <option value="">{isRequired ? 'Choose one' : 'As the input says'}</option>
            )}
            {models
              .toSorted((one, other) => Number(other.available) - Number(one.available))
              .map(({ id, name, model, available, unavailable_reason }) => (
                <option key={id} value={model} disabled={!available}>
                  {available ? name : (unavailable_reason ?? name)}
                </option>
              ))}
            <option value={BY_NAME}>Another, by its name</option>
          </select>
        )}
      </Row>
      {asName && (
        <Row
          field={{ path: `${path}-name`, label: 'Its name', isRequired, help: 'Or its UUID, or provider/model.' }}
          error={error}
        >
          {(own) => (
            <input {...own} value={value} onChange={({ target }) => set(path, target.value)} autoComplete="off" />
          )}
        </Row>
      )}
    </>
  );
}
