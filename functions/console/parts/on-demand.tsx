/** What is asked for when somebody opens it, not before. */
import { type ReactNode, useState } from 'react';
import { useAsked } from '../asked.ts';
import { Loading } from './empty.tsx';
import { Problem } from './problem.tsx';

type Asking<T> = {
  title: string;
  ask(signal: AbortSignal): Promise<T>;
  children(answer: T): ReactNode;
};

export function OnDemand<T>(asking: Asking<T>) {
  const [isWanted, setWanted] = useState(false);
  return (
    <details onToggle={({ currentTarget }) => currentTarget.open && setWanted(true)}>
      <summary>{asking.title}</summary>
      {isWanted && <Answer {...asking} />}
    </details>
  );
}

function Answer<T>({ title, ask, children }: Asking<T>) {
  const { answer, error, again } = useAsked(title, ask);
  if (answer !== undefined) return children(answer);
  return error ? <Problem error={error} again={again} /> : <Loading what={title} />;
}
