/** The list that the jobs page shows: its newest jobs live, older ones as they were when they were asked for. */
import type { JobsClient, LlmJobsError } from '../../../shared/client/client.ts';
import {
  type Changes,
  EMPTY_LIST,
  type Listed,
  released,
  type Snapshot,
  unfollowed,
  withChanges,
  withOlder,
  withSnapshot,
} from './merging.ts';

export type ListState = Listed & {
  /** Has anything come yet? */
  isLoaded: boolean;
  stream: StreamState;
  /** What ended the stream for good. */
  error?: LlmJobsError | undefined;
  isAskingOlder: boolean;
  olderError?: LlmJobsError | undefined;
};

/** `asking`: it is being opened; `off`: between two tries, while nobody looks, or for good. */
export type StreamState = 'off' | 'asking' | 'live';

export type ListHearer = {
  snapshot(snapshot: Snapshot): void;
  changes(changes: Changes): void;
  stream(state: StreamState): void;
};

/** What it is told of the connection. */
type Connection = { isLost(): boolean; subscribe(hear: () => void): () => void };

export type LiveListOptions = {
  filters: Record<string, string>;
  jobs: Pick<JobsClient, 'listPage' | 'request'>;
  /** The list's stream, until the signal fires; rejects with what ends it for good. */
  follow: (hearer: ListHearer, signal: AbortSignal) => Promise<unknown>;
  connection: Connection;
};

const OLDER_JOBS = 100;
const IDS_MOST = 50;

export type LiveList = ReturnType<typeof liveList>;

export function liveList({ filters, jobs, follow, connection }: LiveListOptions) {
  let state: ListState = { ...EMPTY_LIST, isLoaded: false, stream: 'off', isAskingOlder: false };
  let isHolding = false;
  const hearers = new Set<() => void>();
  const set = (changes: Partial<ListState>) => {
    state = { ...state, ...changes };
    for (const hear of hearers) hear();
  };

  /** Follows it until that is aborted; again at once when a lost connection is back. */
  function start(): () => void {
    const leaving = new AbortController();
    let round = new AbortController();
    const hearer: ListHearer = {
      snapshot: (snapshot) => set({ ...withSnapshot(state, snapshot, isHolding), isLoaded: true, error: undefined }),
      changes: (changes) => set(withChanges(state, changes, isHolding)),
      stream: (stream) => {
        if (stream !== state.stream && !leaving.signal.aborted) set({ stream });
      },
    };
    const open = () => {
      round = new AbortController();
      const { signal } = round;
      follow(hearer, signal).catch((error: LlmJobsError) => {
        if (!signal.aborted) set({ error, isLoaded: true });
      });
    };
    open();
    const unheard = connection.subscribe(() => {
      if (connection.isLost() || state.stream !== 'off') return;
      round.abort();
      open();
    });
    return () => {
      leaving.abort();
      round.abort();
      unheard();
    };
  }

  async function older(): Promise<void> {
    const { cursor, isAskingOlder } = state;
    if (cursor === undefined || isAskingOlder) return;
    set({ isAskingOlder: true, olderError: undefined });
    try {
      const page = await jobs.listPage({ ...filters, limit: OLDER_JOBS, cursor });
      // A list that began anew meanwhile goes on elsewhere.
      set({ ...(state.cursor === cursor && withOlder(state, page)), isAskingOlder: false });
    } catch (error) {
      set({ isAskingOlder: false, olderError: error as LlmJobsError });
    }
  }

  /** Asks once for the jobs that are not over and that nobody tells of. */
  async function lookAgain(): Promise<void> {
    const ids = unfollowed(state).map(({ job_id }) => job_id);
    set({ isAskingOlder: true, olderError: undefined });
    try {
      for (let at = 0; at < ids.length; at += IDS_MOST) {
        const asked = ids.slice(at, at + IDS_MOST).join(',');
        const answer = await jobs.request<Snapshot & { not_found?: string[] }>({ path: `/api/llm/jobs/?ids=${asked}` });
        const [stay, left] = [answer.jobs.filter(isOurs), answer.jobs.filter((job) => !isOurs(job))];
        const gone = [...(answer.not_found ?? []), ...left.map(({ job_id }) => job_id)];
        set(withChanges(state, { jobs: stay, gone }, isHolding));
      }
      set({ isAskingOlder: false });
    } catch (error) {
      set({ isAskingOlder: false, olderError: error as LlmJobsError });
    }
  }

  /** All else that a list is narrowed to never changes of a job. */
  const isOurs = ({ status }: { status: string }) => filters.status === undefined || filters.status === status;

  return {
    start,
    older,
    lookAgain,
    state: () => state,
    subscribe(hear: () => void): () => void {
      hearers.add(hear);
      return () => hearers.delete(hear);
    },
    /** While somebody reads further down, what is new waits. */
    hold(holding: boolean): void {
      isHolding = holding;
      if (!holding && state.hidden > 0) set(released(state));
    },
  };
}
