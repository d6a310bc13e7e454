/** One `Listen` call at a time for some targets: opened again when it is lost, and let go when nobody listens any more. */
import { toMs } from './firestore-document.ts';
import { type ListenResponse, type Snapshot, type Snapshots, snapshotsOf, type Target } from './firestore-snapshots.ts';

/** gRPC's: a stream of requests and of responses. */
export type ListenCall = {
  write(request: object): void;
  cancel(): void;
  on(event: 'data', listener: (response: ListenResponse) => void): ListenCall;
  on(event: 'error' | 'end', listener: (error?: { code?: number }) => void): ListenCall;
};
export type OpenListenCall = () => Promise<ListenCall>;

export type Listening = {
  /** What is listened to; asked again when the call was lost. */
  target: () => Target;
  /** Does nobody care for what changes of it, or goes? `target` begins after what was told then. */
  isAppendOnly?: boolean;
  /** Told of what matches, and then of what changes of it. What it throws hurts no other listener. */
  onSnapshot: (snapshot: Snapshot) => void;
};

/** Before a lost call is made again, and before a target is asked for again: later each time. */
const CALL_PAUSE = { leastMs: 100, mostMs: 10_000 };
const TARGET_PAUSE = { leastMs: 1_000, mostMs: 60_000 };
/** What lived so long did not fail at once. */
const LIVED_WELL_MS = 10_000;
/** The package's high-level client, too, takes a call that says nothing for so long for dead. */
const SILENCE_MS = 120_000;
/** A target whose documents have not all come for so long is forgotten on the other side. */
const UNANSWERED_MS = 30_000;
/** Readers come and go. */
const LINGER_MS = 5_000;
/** gRPC's status code. */
const RESOURCE_EXHAUSTED = 8;

type Listener = Listening & {
  /** Of its target on the call. */
  id: number;
  snapshots: Snapshots;
  /** Has the other side heard of it? */
  isAdded: boolean;
  /** Says which snapshot it has: what comes after it is what differs. */
  resumeToken: Uint8Array | undefined;
  askedAtMs: number;
  pauseMs: number;
  /** Until it is asked for again. */
  pause: NodeJS.Timeout | undefined;
};

export type SharedStream = {
  /** How many listen. */
  size(): number;
  /** Listens until the answer is called. */
  add(listening: Listening): () => void;
  close(): void;
};

export function sharedStream(database: string, open: OpenListenCall, onClose: () => void): SharedStream {
  const listeners = new Set<Listener>();
  /** Those that are asked for on this call, by the id of their target. */
  const asked = new Map<number, Listener>();
  let lastId = 0;
  let call: ListenCall | undefined;
  let isClosed = false;
  let pauseMs = 0;
  let openedAtMs = 0;
  let heardAtMs = 0;
  let reopening: NodeJS.Timeout | undefined;
  let checking: NodeJS.Timeout | undefined;
  let lingering: NodeJS.Timeout | undefined;

  function start(): void {
    openedAtMs = performance.now();
    heardAtMs = openedAtMs;
    open()
      .then((opened) => {
        const lost = (error?: { code?: number }) => call === opened && lose(error);
        opened.on('data', (response) => call === opened && hear(response));
        // Also of one that was cancelled, whose end is an error.
        opened.on('error', lost).on('end', lost);
        if (isClosed) return opened.cancel();
        call = opened;
        for (const listener of listeners) if (!listener.pause) ask(listener);
        checking = setInterval(check, UNANSWERED_MS).unref();
      })
      .catch(lose);
  }

  /** Makes the call again in a moment. */
  function lose(error?: { code?: number }): void {
    letGo();
    if (isClosed) return;
    // What fails at once may do so because of what it was to go on with.
    if (performance.now() - openedAtMs < LIVED_WELL_MS)
      for (const listener of listeners) listener.resumeToken = undefined;
    pauseMs = error?.code === RESOURCE_EXHAUSTED ? CALL_PAUSE.mostMs : pauseAfter(pauseMs, openedAtMs, CALL_PAUSE);
    reopening = setTimeout(start, pauseMs * (0.5 + Math.random() / 2));
  }

  function letGo(): void {
    const ended = call;
    call = undefined;
    ended?.cancel();
    asked.clear();
    clearTimeout(reopening);
    clearInterval(checking);
  }

  function close(): void {
    isClosed = true;
    letGo();
    clearTimeout(lingering);
    for (const { pause } of listeners) clearTimeout(pause);
    listeners.clear();
    onClose();
  }

  /** A call may be dead, and a target forgotten, without a word. */
  function check(): void {
    const nowMs = performance.now();
    const isUnanswered = ({ snapshots, askedAtMs }: Listener) =>
      !snapshots.isCurrent() && nowMs - askedAtMs >= UNANSWERED_MS;
    if (nowMs - heardAtMs >= SILENCE_MS) lose();
    else for (const listener of [...asked.values()].filter(isUnanswered)) askLater(listener);
  }

  function ask(listener: Listener): void {
    const { target, snapshots, resumeToken } = listener;
    // What is still said of a target before is nobody's.
    listener.id = ++lastId;
    listener.isAdded = false;
    listener.askedAtMs = performance.now();
    asked.set(listener.id, listener);
    if (resumeToken) snapshots.resume();
    else snapshots.reset();
    call?.write({ database, addTarget: { targetId: listener.id, ...target(), ...(resumeToken && { resumeToken }) } });
  }

  /** Asks for all of its target anew, after a pause of its own. */
  function askLater(listener: Listener): void {
    forget(listener);
    listener.resumeToken = undefined;
    listener.pauseMs = pauseAfter(listener.pauseMs, listener.askedAtMs, TARGET_PAUSE);
    listener.pause = setTimeout(() => {
      listener.pause = undefined;
      if (call) ask(listener);
    }, listener.pauseMs).unref();
  }

  function forget({ id }: Listener): void {
    if (asked.delete(id)) call?.write({ database, removeTarget: id });
  }

  /** Those with these ids; none given are all that the other side knows. */
  function among(ids: readonly number[] | null | undefined): Listener[] {
    if (!ids?.length) return [...asked.values()].filter(({ isAdded }) => isAdded);
    return ids.flatMap((id) => asked.get(id) ?? []);
  }

  function hear({ targetChange, documentChange, documentDelete, documentRemove, filter }: ListenResponse): void {
    heardAtMs = performance.now();
    if (documentChange) {
      const { document, targetIds, removedTargetIds } = documentChange;
      for (const id of targetIds ?? []) asked.get(id)?.snapshots.change(document?.name ?? '', document ?? undefined);
      for (const id of removedTargetIds ?? []) asked.get(id)?.snapshots.change(document?.name ?? '', undefined);
    }
    const gone = documentDelete ?? documentRemove;
    for (const id of gone?.removedTargetIds ?? []) asked.get(id)?.snapshots.change(gone?.document ?? '', undefined);
    if (targetChange) hearOfTargets(targetChange);
    const filtered = filter && asked.get(filter.targetId ?? 0);
    if (filtered && !filtered.isAppendOnly && filtered.snapshots.size() !== (filter.count ?? 0)) askLater(filtered);
  }

  function hearOfTargets(change: NonNullable<ListenResponse['targetChange']>): void {
    const { targetChangeType, targetIds, readTime, resumeToken } = change;
    if (targetChangeType === 'NO_CHANGE') {
      if (!targetIds?.length && readTime) tell(toMs(readTime), resumeToken);
      return;
    }
    for (const listener of among(targetIds)) {
      if (targetChangeType === 'ADD') listener.isAdded = true;
      if (targetChangeType === 'CURRENT') listener.snapshots.current();
      if (targetChangeType === 'RESET') {
        listener.snapshots.reset();
        listener.askedAtMs = performance.now();
      }
      // Not by us, who forget a target before: Firestore refuses it, or does not go on with it.
      if (targetChangeType === 'REMOVE') {
        asked.delete(listener.id);
        askLater(listener);
      }
    }
  }

  /** All was said of all targets up to this moment. */
  function tell(readAtMs: number, resumeToken: Uint8Array | null | undefined): void {
    // A copy: what came is a piece of all that came with it.
    const token = resumeToken?.length ? Uint8Array.from(resumeToken) : undefined;
    for (const listener of [...asked.values()]) {
      const { id, snapshots, isAppendOnly, onSnapshot } = listener;
      if (!asked.has(id) || !snapshots.isCurrent()) continue;
      if (token && !isAppendOnly) listener.resumeToken = token;
      const snapshot = snapshots.at(readAtMs);
      try {
        if (snapshot) onSnapshot(snapshot);
      } catch (error) {
        // Thrown here it would end the reading of the call.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }

  start();
  return {
    size: () => listeners.size,

    add(listening) {
      clearTimeout(lingering);
      const listener: Listener = {
        ...listening,
        ...{ id: 0, snapshots: snapshotsOf(listening.isAppendOnly ?? false), isAdded: false, resumeToken: undefined },
        ...{ askedAtMs: 0, pauseMs: 0, pause: undefined },
      };
      listeners.add(listener);
      if (call) ask(listener);
      return () => {
        forget(listener);
        clearTimeout(listener.pause);
        listeners.delete(listener);
        if (listeners.size > 0 || isClosed) return;
        clearTimeout(lingering);
        lingering = setTimeout(close, LINGER_MS).unref();
      };
    },

    close,
  };
}

function pauseAfter(beforeMs: number, sinceMs: number, { leastMs, mostMs }: typeof CALL_PAUSE): number {
  if (performance.now() - sinceMs >= LIVED_WELL_MS) return leastMs;
  return Math.min(Math.max(2 * beforeMs, leastMs), mostMs);
}
