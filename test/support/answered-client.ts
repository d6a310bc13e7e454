/** A client whose `fetch` answers what a test says, where single requests are looked at. */
import { createClient, type JobsClient } from '../../shared/client/client.ts';
import { runUntil } from './scripted-fetch.ts';

type Sent = { url: string; atMs: number } & RequestInit;

/** A client, and what it sent; `answer` is what each of its requests gets. */
export function answeredClient(
  options: NonNullable<Parameters<typeof createClient>[0]>,
  answer: (nth: number) => Response | Promise<Response>,
): { jobs: JobsClient; sent: Sent[] } {
  const sent: Sent[] = [];
  const fetch = async (input: unknown, init: RequestInit = {}) => {
    sent.push({ url: String(input), atMs: performance.now(), ...init });
    return answer(sent.length);
  };
  const jobs = createClient({ baseUrl: 'http://jobs.test', fetch: fetch as typeof globalThis.fetch, ...options });
  return { jobs, sent };
}

type Outcome = { value?: unknown; code?: string; error?: Error };

/** How it ends, in virtual time. */
export async function outcomeOf(promise: Promise<unknown>): Promise<Outcome> {
  let outcome: Outcome | undefined;
  promise.then(
    (value) => {
      outcome = { value };
    },
    (error) => {
      outcome = { code: error.code, error };
    },
  );
  await runUntil(() => outcome !== undefined, performance.now() + 1_000_000);
  return outcome ?? {};
}
