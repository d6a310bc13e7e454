/** What stands where there is nothing to show, and what to do about it. */
import type { ReactNode } from 'react';

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children}
    </div>
  );
}

/** While the first answer is on its way: lines that take the place of what will stand there. */
export function Loading({ what }: { what: string }) {
  return (
    <div className="loading" role="status">
      <span className="unseen">Loading {what}…</span>
      <span className="line" />
      <span className="line" />
      <span className="line" />
    </div>
  );
}
