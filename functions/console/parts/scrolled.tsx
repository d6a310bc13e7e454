/** What may be wider than a small window: it scrolls in itself, also by the keyboard. */
import type { ReactNode } from 'react';

export function Scrolled({ label, children }: { label: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: without focus the keyboard could not scroll it
    <section className="scrolled" aria-label={label} tabIndex={0}>
      {children}
    </section>
  );
}
