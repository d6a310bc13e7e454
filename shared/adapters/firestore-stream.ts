/** One `Listen` call at a time for some targets: opened again when it is lost, and let go when nobody listens any more. */
import { toMs } from './firestore-document.ts';
import { type ListenResponse, type Snapshot, type Snapshots, snapshotsOf, type Target } from './firestore-snapshots.ts';

/** gRPC's: a stream of requests and of responses. */
export type ListenCall = {
  write(request: object): void;
  cancel(): void;
  on(event: 'data', listener: (response: ListenResponse) => void): ListenCall;
  on(event: 'error' | 'end', listener: () => void): ListenCall;
};
export type OpenListenCall = () => Promise<ListenCall>;

/** Later each time; whoever listens also looks now and then. */
const REOPEN_LEAST_MS = 100;
const REOPEN_MOST_MS = 10_000;
/** One that lived so long did not fail at once. */
const LIVED_WELL_MS = 10_000;
/** The package's high-level client gives up a stream that says nothing for as long. */
const SILENCE_MS = 120_000;
/** Readers come and go. */
const LINGER_MS = 5_000;

export type Listening = {
  /** What is listened to; asked again when the call was lost. */
  target: () => Target;
  /** Does nobody care for what changes of it, or goes? */
  isAppendOnly?: boolean;
  /** Told of what matches, and then of what changes of it. */
  onSnapshot: (snapshot: Snapshot) => void;
};

type Listener = Pick<Listening, 'target' | 'onSnapshot'> & { id: number; snapshots: Snapshots };

export function sharedStream(database: string, open: OpenListenCall, onClose: () => void) {
  const listeners = new Map<number, Listener>();
  let lastId = 0;
  let call: ListenCall | undefined;
  let isClosed = false;
  let pauseMs = REOPEN_LEAST_MS;
  let openedAtMs = 0;
  let heardAtMs = 0;
  /** Of the next try. */
  let again: NodeJS.Timeout | undefined;
  let silence: NodeJS.Timeout | undefined;
  let linger: NodeJS.Timeout | undefined;

  function ask({ id, target, snapshots }: Listener): void {
    snapshots.reset();
    call?.write({ database, addTarget: { targetId: id, ...target() } });
  }

  function askAnew(listener: Listener): void {
    forget(listener);
    // What is still said of the target before is nobody's.
    listener.id = ++lastId;
    listeners.set(listener.id, listener);
    ask(listener);
  }

  function forget({ id }: Listener): void {
    if (listeners.delete(id)) call?.write({ database, removeTarget: id });
  }

  function start(): void {
    openedAtMs = performance.now();
    heardAtMs = openedAtMs;
    open().then((opened) => {
      const lost = () => call === opened && lose();
      opened.on('data', (response) => call === opened && hear(response));
      // Also of one that was cancelled, whose end is an error.
      opened.on('error', lost).on('end', lost);
      if (isClosed) return opened.cancel();
      call = opened;
      for (const listener of listeners.values()) ask(listener);
      watchSilence();
    }, lose);
  }

  /** Opens it again in a moment. */
  function lose(): void {
    letGo();
    if (isClosed) return;
    if (performance.now() - openedAtMs > LIVED_WELL_MS) pauseMs = REOPEN_LEAST_MS;
    again = setTimeout(start, pauseMs * (0.5 + Math.random() / 2));
    pauseMs = Math.min(2 * pauseMs, REOPEN_MOST_MS);
  }

  function watchSilence(): void {
    const leftMs = heardAtMs + SILENCE_MS - performance.now();
    if (leftMs <= 0) lose();
    else silence = setTimeout(watchSilence, leftMs).unref();
  }

  function letGo(): void {
    const ended = call;
    call = undefined;
    ended?.cancel();
    for (const timer of [again, silence]) clearTimeout(timer);
  }

  function close(): void {
    isClosed = true;
    letGo();
    clearTimeout(linger);
    listeners.clear();
    onClose();
  }

  /** Those with these ids; none given are all. */
  function* among(ids: readonly number[] | null | undefined): Iterable<Listener> {
    if (!ids?.length) return yield* [...listeners.values()];
    for (const id of ids) {
      const listener = listeners.get(id);
      if (listener) yield listener;
    }
  }

  function hear({ targetChange, documentChange, documentDelete, documentRemove, filter }: ListenResponse): void {
    heardAtMs = performance.now();
    if (documentChange) {
      const { document, targetIds, removedTargetIds } = documentChange;
      for (const id of targetIds ?? [])
        listeners.get(id)?.snapshots.change(document?.name ?? '', document ?? undefined);
      for (const id of removedTargetIds ?? []) listeners.get(id)?.snapshots.change(document?.name ?? '', undefined);
    }
    const gone = documentDelete ?? documentRemove;
    for (const id of gone?.removedTargetIds ?? []) listeners.get(id)?.snapshots.change(gone?.document ?? '', undefined);
    if (targetChange) hearOfTargets(targetChange);
    const filtered = filter && listeners.get(filter.targetId ?? 0);
    if (filtered && !filtered.snapshots.isOf(filter.count ?? 0)) askAnew(filtered);
  }

  function hearOfTargets({ targetChangeType, targetIds, readTime }: NonNullable<ListenResponse['targetChange']>): void {
    if (targetChangeType === 'CURRENT') for (const { snapshots } of among(targetIds)) snapshots.current();
    else if (targetChangeType === 'RESET') for (const { snapshots } of among(targetIds)) snapshots.reset();
    else if (targetChangeType === 'REMOVE') {
      // Not by us, who forget a listener before: Firestore refuses to go on with it.
      if ([...among(targetIds)].length > 0) lose();
    } else if (targetChangeType === 'NO_CHANGE' && !targetIds?.length && readTime) tell(toMs(readTime));
  }

  /** All was said of all targets up to this moment. */
  function tell(readAtMs: number): void {
    for (const { id, snapshots, onSnapshot } of [...listeners.values()]) {
      const snapshot = listeners.has(id) ? snapshots.at(readAtMs) : undefined;
      if (snapshot) onSnapshot(snapshot);
    }
  }

  start();
  return {
    size: () => listeners.size,

    add({ target, isAppendOnly = false, onSnapshot }: Listening): () => void {
      clearTimeout(linger);
      const listener: Listener = { id: ++lastId, target, snapshots: snapshotsOf(isAppendOnly), onSnapshot };
      listeners.set(listener.id, listener);
      if (call) ask(listener);
      return () => {
        forget(listener);
        if (listeners.size > 0 || isClosed) return;
        clearTimeout(linger);
        linger = setTimeout(close, LINGER_MS).unref();
      };
    },

    close,
  };
}
