/** What went wrong, in the API's own sentence, with what the reader can do. */
import type { LlmJobsError } from '../../../shared/client/client.ts';

export function Problem({ error, again }: { error: LlmJobsError; again?: () => void }) {
  return (
    <div className="problem" role="alert">
      <p>{error.message}</p>
      {error.details?.map(({ path, message }) => (
        <p key={path}>
          <code>{path}</code> {message}
        </p>
      ))}
      {error.status === 401 && <p>Set a token, at the top of the page.</p>}
      <p className="aside">
        {error.code}
        {error.requestId && ` · request ${error.requestId}`}
      </p>
      {again && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}
