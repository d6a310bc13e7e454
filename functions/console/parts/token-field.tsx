/** Where the service asks who one is: its token. */
import { type FormEvent, useState } from 'react';
import { token } from '../service.ts';

export function TokenField() {
  const [isOpen, setOpen] = useState(false);
  const use = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    token.set(String(new FormData(event.currentTarget).get('token')).trim());
    window.location.reload();
  };
  return (
    <div className="token">
      <button type="button" className="quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        {token.get() === undefined ? 'Set a token' : 'Token set'}
      </button>
      {isOpen && (
        <form className="token" onSubmit={use}>
          <label>
            API key or ID token{' '}
            <input name="token" type="password" autoComplete="off" ref={(field) => field?.focus()} />
          </label>
          <button type="submit">Use it</button>
        </form>
      )}
    </div>
  );
}
