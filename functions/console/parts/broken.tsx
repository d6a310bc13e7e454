/** What stands in place of a page that broke while it was drawn. React takes a class for that, and nothing else. */
import { Component, type ReactNode } from 'react';

/** With another `key` it shows its children again. */
export class Broken extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <div className="problem" role="alert">
        <p>This page broke: {error.message}</p>
        <button type="button" onClick={() => window.location.reload()}>
          Load it again
        </button>
      </div>
    );
  }
}
