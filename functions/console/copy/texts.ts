/** A submission as one would write it oneself: each text works as it is pasted. Pure. */

export type CopyOptions = {
  /** Where the service is. */
  origin: string;
  /** Does it want to know who one is? Then the token's place is in the text, never the token. */
  withToken: boolean;
};

/** More does not go into one argument of a program; the limit is 128 KiB on Linux. */
const ARGUMENT_MOST = 100_000;

/** For a POSIX shell. */
export function asCurl(submission: object, { origin, withToken }: CopyOptions): string {
  const body = JSON.stringify(submission, undefined, 2);
  const isLarge = body.length > ARGUMENT_MOST;
  return [
    `curl ${quoted(`${origin}/api/llm/jobs/submit/`)}`,
    "-H 'Content-Type: application/json'",
    ...(withToken ? ['-H "Authorization: Bearer $LLM_JOBS_TOKEN"'] : []),
    // What stands between the marks comes as it is: no line of JSON is the second one.
    isLarge ? `--data-binary @- <<'END'\n${body}\nEND` : `-d ${quoted(body)}`,
  ].join(' \\\n  ');
}

/** A program for Node that waits for the job's end. */
export function asClient(submission: object, { origin, withToken }: CopyOptions): string {
  const [from, token] = withToken
    ? ["import { env } from 'node:process';\n", ", token: env.LLM_JOBS_TOKEN ?? ''"]
    : ['', ''];
  return `${from}import { createClient } from 'llm-jobs/client';

const jobs = createClient({ baseUrl: ${literal(origin)}${token} });
const job = await jobs.submitAndWait(${literal(submission)});
console.log(job.status === 'completed' ? job.result_data : job.error_message);`;
}

/** A component that submits the job, and shows it as it happens. */
export function asReact(submission: object, { origin, withToken }: CopyOptions): string {
  const token = withToken
    ? "\n  // Of the user who is there: a service's own key does not belong into a page.\n  token: () => sessionStorage.getItem('token') ?? undefined,"
    : '';
  return `import { createClient } from 'llm-jobs/client';
import { useLlmJob } from 'llm-jobs/react';

const client = createClient({
  baseUrl: ${literal(origin)},${token}
});

export function Job() {
  const { submit, status, text, result, error, isPending } = useLlmJob({ client });
  const start = () =>
    submit(${literal(submission, '    ')});
  return (
    <section>
      <button type="button" onClick={start} disabled={isPending}>
        Start
      </button>
      <p role="status">{status}</p>
      <pre>{result === undefined ? text : JSON.stringify(result, null, 2)}</pre>
      {error && <p role="alert">{error.message}</p>}
    </section>
  );
}`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** JSON as code is written. A line of it begins with a name or a value: no text holds an end of line. */
function literal(value: unknown, indent = ''): string {
  const json = JSON.stringify(value, undefined, 2).replace(/^( *)"([A-Za-z_]\w*)": /gm, (_, spaces, name) =>
    // Without brackets it would be the object's prototype.
    name === '__proto__' ? `${spaces}["__proto__"]: ` : `${spaces}${name}: `,
  );
  return json.replaceAll('\n', `\n${indent}`);
}
