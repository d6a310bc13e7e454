/** Whether anybody is there to be told: who waits for a job asks for nothing while nobody looks, or nothing gets through. */

/** Where that is known; React Native has its `AppState`, a test what it likes. */
export type VisibilitySource = {
  /** Is somebody looking, and is there a network? */
  isActive(): boolean;
  /** Calls back on each change; answers what stops that. */
  subscribe(listener: () => void): () => void;
};

/** Waits on, whoever looks: for a page that tells of a job's end while it is hidden. */
export const alwaysActive: VisibilitySource = { isActive: () => true, subscribe: () => () => {} };

/** A page that is shown, and a browser that is online; elsewhere always active. */
export const browserVisibility: VisibilitySource = {
  isActive() {
    const isHidden = globalThis.document?.visibilityState === 'hidden';
    return !isHidden && globalThis.navigator?.onLine !== false;
  },
  subscribe(listener) {
    // Neither is there in Node, the document not in a worker.
    const sources: [EventTarget | undefined, string][] = [
      [globalThis.document, 'visibilitychange'],
      [globalThis.window ?? globalThis.self, 'online'],
      [globalThis.window ?? globalThis.self, 'offline'],
    ];
    for (const [target, event] of sources) target?.addEventListener?.(event, listener);
    return () => {
      for (const [target, event] of sources) target?.removeEventListener?.(event, listener);
    };
  },
};
