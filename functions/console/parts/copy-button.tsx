/** Puts a text on the clipboard, and says so. */
import { useState } from 'react';

export function CopyButton({ text, children }: { text: string; children: string }) {
  const [said, say] = useState('');
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      say('Copied');
    } catch {
      say('It cannot be copied here: select it instead.');
    }
  };
  return (
    <>
      <button type="button" onClick={copy} onBlur={() => say('')}>
        {children}
      </button>
      <span role="status">{said}</span>
    </>
  );
}
