/** The service that the console shows: one client for all pages, with the token that the user entered. */
import { createClient, type JobsClient } from '../../shared/client/client.ts';
import { connection } from './connection.ts';

const KEPT_AS = 'llm-jobs.token';

/** Kept for this tab alone, as long as it is open. */
export const token = {
  get(): string | undefined {
    try {
      return sessionStorage.getItem(KEPT_AS) ?? undefined;
    } catch {
      // A browser that keeps nothing shows what needs no token.
      return undefined;
    }
  },
  set(value: string): void {
    if (value === '') sessionStorage.removeItem(KEPT_AS);
    else sessionStorage.setItem(KEPT_AS, value);
  },
};

/** `fetch`, whose luck is what the console knows of its connection. */
export const watchedFetch: typeof fetch = async (input, init) => {
  try {
    const response = await fetch(input, init);
    connection.heard();
    return response;
  } catch (error) {
    if (!init?.signal?.aborted) connection.lost();
    throw error;
  }
};

export const clientOptions = { token: () => token.get(), fetch: watchedFetch };

const client = createClient(clientOptions);

/** Who hears of jobs that are deleted in this tab: they are not lost. */
export const deletionHearers = new Set<(jobId: string) => void>();

/** Of this page's own origin. */
export const jobs: JobsClient = {
  ...client,
  async delete(jobId, options) {
    for (const hear of deletionHearers) hear(jobId);
    await client.delete(jobId, options);
  },
};
