/** A job, or what is about to be one, as a text to paste: for a shell, a program, a page. */
import { useId, useRef, useState } from 'react';
import { useAsked } from '../asked.ts';
import { Loading } from '../parts/empty.tsx';
import { Problem } from '../parts/problem.tsx';
import { token } from '../service.ts';
import { loadSubmission } from './load-submission.ts';
import { asClient, asCurl, asReact } from './texts.ts';
import '../style/copy.css';

const KINDS = { curl: asCurl, client: asClient, React: asReact };
type Kind = keyof typeof KINDS;

/** Of a submission, or of a job, whose input is asked for when somebody wants to see it. */
export function CopyAs(of: { submission: object } | { jobId: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <details className="copy-as" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Copy as curl, client or React</summary>
      {isOpen && ('jobId' in of ? <OfJob jobId={of.jobId} /> : <Texts submission={of.submission} />)}
    </details>
  );
}

function OfJob({ jobId }: { jobId: string }) {
  const { answer, error, again } = useAsked(jobId, (signal) => loadSubmission(jobId, signal));
  if (!answer) return error ? <Problem error={error} again={again} /> : <Loading what="its input" />;
  const { submission, notShown } = answer;
  return (
    <>
      {notShown.length > 0 && <p className="aside">Without its {notShown.join(' and its ')}, which no view shows.</p>}
      <Texts submission={submission} />
    </>
  );
}

function Texts({ submission }: { submission: object }) {
  const [kind, setKind] = useState<Kind>('curl');
  const [said, setSaid] = useState({ text: '', words: '' });
  const shown = useRef<HTMLPreElement>(null);
  const name = useId();
  const text = KINDS[kind](submission, { origin: window.location.origin, withToken: token.get() !== undefined });

  const say = (words: string) => setSaid({ text, words });

  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      say('Copied.');
    } catch {
      // No permission, or not a secure origin: the reader's own keys still may.
      if (shown.current) window.getSelection()?.selectAllChildren(shown.current);
      say('Selected: press Ctrl+C, or ⌘C.');
    }
  }

  return (
    <>
      <fieldset className="row">
        <legend className="unseen">Copy as</legend>
        {(Object.keys(KINDS) as Kind[]).map((each) => (
          <label key={each} className="kind">
            <input type="radio" name={name} checked={each === kind} onChange={() => setKind(each)} /> {each}
          </label>
        ))}
        <button type="button" onClick={copy}>
          Copy
        </button>
        <span role="status">{said.text === text && said.words}</span>
      </fieldset>
      <pre ref={shown}>{text}</pre>
    </>
  );
}
