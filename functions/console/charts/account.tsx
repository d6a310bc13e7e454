/** What a user may still use, where credits are on. */
import { useState } from 'react';
import { useAsked } from '../asked.ts';
import { Loading } from '../parts/empty.tsx';
import { FactList } from '../parts/fact-list.tsx';
import { Problem } from '../parts/problem.tsx';
import { jobs } from '../service.ts';
import { costOf, countOf, timeOf } from '../words.ts';

type Account = {
  user_id: string;
  subscription: string;
  balance: number;
  reserved: number;
  available: number;
  charged: { tokens: number; cost: number };
  budget?: { max_cost: number; period: string; spent: number; resets_at: string };
};

/** The API says nobody who they are: one has to know what one is called. */
export function AccountSearch() {
  const [user, setUser] = useState('');
  return (
    <section aria-labelledby="account">
      <h2 id="account">Credits</h2>
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          setUser(String(new FormData(event.currentTarget).get('user')).trim());
        }}
      >
        <label>
          User id <input name="user" required autoComplete="off" />
        </label>
        <button type="submit">Show the account</button>
      </form>
      {user && <AccountOf key={user} user={user} />}
    </section>
  );
}

function AccountOf({ user }: { user: string }) {
  const { answer, error, again } = useAsked(user, (signal) =>
    jobs.request<Account>({ path: `/api/llm/accounts/${encodeURIComponent(user)}/` }, { signal }),
  );
  if (error?.code === 'credits_off') return <p>Credits are off here: jobs take from no account.</p>;
  if (error) return <Problem error={error} again={again} />;
  if (!answer) return <Loading what="the account" />;
  const { balance, reserved, available, charged, budget, subscription } = answer;
  return (
    <FactList
      facts={[
        ['Subscription', subscription],
        ['Balance', `${countOf(balance)} tokens`],
        ['Held by jobs that run', `${countOf(reserved)} tokens`],
        ['Available', `${countOf(available)} tokens`],
        ['Charged so far', `${countOf(charged.tokens)} tokens, ${costOf(charged.cost)}`],
        [
          `Budget of this ${budget?.period}`,
          budget && `${costOf(budget.spent)} of ${costOf(budget.max_cost)}; anew on ${timeOf(budget.resets_at)}`,
        ],
      ]}
    />
  );
}
