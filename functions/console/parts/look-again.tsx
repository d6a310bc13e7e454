/** What a page shows that nobody keeps up to date: of when it is, and how it is asked for anew. */
import type { Asked } from '../asked.ts';
import { timeOf } from '../words.ts';
import { Button } from './button.tsx';

export function LookAgain({ asked }: { asked: readonly Asked<unknown>[] }) {
  const atMs = Math.min(...asked.flatMap(({ atMs = [] }) => atMs));
  const lookAgain = () => {
    for (const { again } of asked) again();
  };
  return (
    <>
      <span className="aside" role="status">
        {atMs < Infinity && `As of ${timeOf(atMs)}`}
      </span>
      <Button isOff={asked.some(({ isAsking }) => isAsking)} onClick={lookAgain}>
        Look again
      </Button>
    </>
  );
}
