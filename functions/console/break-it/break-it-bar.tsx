/** The bar that breaks the service, where that may be done: what can be done to a job, and what became of those it was done to. */
import { useEffect, useState } from 'react';
import { keep, readKept } from '../kept.ts';
import '../style/break-it.css';
import type { BreakItState } from './break-it-state.ts';
import { breaking, useBreaking } from './breaking.ts';
import { Counters } from './counters.tsx';
import { DEED_WORDS, told } from './told.ts';
import { verdictOn } from './verdict.ts';
import { DEEDS } from './victim.ts';
import { VictimsTable } from './victims-table.tsx';

const SHOWN_MOST = 5;
const KEPT_AS = 'break-it';

/** As it was left in this tab; at first it is open where there is room for it. */
function wasOpen(): boolean {
  const kept = readKept(KEPT_AS);
  return kept === undefined ? window.matchMedia('(min-width: 48rem)').matches : kept === 'open';
}

export function BreakItBar() {
  const { state, victims } = useBreaking();
  const [isOpen, setOpen] = useState(wasOpen);
  useEffect(() => {
    breaking.open().catch(() => {});
  }, []);
  if (!state) return null;

  const [newest] = victims;
  const verdict = verdictOn(victims, state.calls);
  const toggle = () => {
    keep(KEPT_AS, isOpen ? 'closed' : 'open');
    setOpen(!isOpen);
  };
  return (
    <section className="break-it" aria-label="Break it">
      <div className="break-it-head">
        <button type="button" className="quiet" aria-expanded={isOpen} onClick={toggle}>
          <span aria-hidden="true">{isOpen ? '▾' : '▴'}</span> Break it
        </button>
        {victims.length > 0 && <VerdictNote holds={verdict.holds} lost={verdict.lost} />}
      </div>
      {isOpen && (
        <>
          <Buttons available={state.available} />
          <p className="told" role="status">
            {newest
              ? told(newest, state)
              : 'Each button submits a job of its own, does that to it, and follows it to its end.'}
          </p>
          {newest && (
            <div className="break-it-beside">
              <VictimsTable victims={victims.slice(0, SHOWN_MOST)} calls={state.calls} />
              <Counters verdict={verdict} counters={state.counters} />
            </div>
          )}
        </>
      )}
    </section>
  );
}

function Buttons({ available }: Pick<BreakItState, 'available'>) {
  const refused = DEEDS.filter((deed) => available[deed] !== true);
  return (
    <>
      <div className="row">
        {DEEDS.map((deed) => (
          <button
            key={deed}
            type="button"
            disabled={refused.includes(deed)}
            aria-describedby={refused.includes(deed) ? `not-${deed}` : undefined}
            onClick={() => breaking.begin(deed)}
          >
            {DEED_WORDS[deed]}
          </button>
        ))}
      </div>
      {refused.map((deed) => (
        <p key={deed} id={`not-${deed}`} className="aside">
          {DEED_WORDS[deed]}: {available[deed]}
        </p>
      ))}
    </>
  );
}

function VerdictNote({ holds, lost }: { holds: boolean; lost: number }) {
  if (holds) {
    return (
      <p className="verdict good">
        <span aria-hidden="true">✓</span> Holds<span className="why">: every call was recorded, no job is lost</span>
      </p>
    );
  }
  return (
    <p className="verdict bad" role="alert">
      <span aria-hidden="true">✕</span> Alarm: {lost > 0 ? 'a job is lost' : 'a call was not recorded'}
    </p>
  );
}
