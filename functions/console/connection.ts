/** Does the service answer? Told by every request; while it does not, it is asked again and again. */
import { useSyncExternalStore } from 'react';

const AGAIN_MS = 1_000;

let isLost = false;
let asking: ReturnType<typeof setTimeout> | undefined;
const hearers = new Set<() => void>();

function become(lost: boolean): void {
  if (isLost === lost) return;
  isLost = lost;
  for (const hear of hearers) hear();
}

/** Until it answers: then pages that show something old ask anew. */
function askAgain(): void {
  clearTimeout(asking);
  asking = setTimeout(async () => {
    const isThere = await fetch('/health', { cache: 'no-store' }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isThere) become(false);
    else if (isLost) askAgain();
  }, AGAIN_MS);
}

export const connection = {
  isLost: () => isLost,
  heard: () => become(false),
  lost(): void {
    if (isLost) return;
    become(true);
    askAgain();
  },
  subscribe(hear: () => void): () => void {
    hearers.add(hear);
    return () => hearers.delete(hear);
  },
};

export function useIsLost(): boolean {
  return useSyncExternalStore(connection.subscribe, connection.isLost);
}

// A page that is offline asks nothing, and would not notice.
window.addEventListener('offline', () => connection.lost());
