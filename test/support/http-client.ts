/** A caller of the Jobs API over a real socket. */

export type View = {
  success: boolean;
  job_id: string;
  status: string;
  is_complete: boolean;
  result_data?: { success: boolean; result: string };
  error_message?: string;
  error_code?: string;
  attempts: { n: number; started_at: string; outcome?: string; calls: number }[];
  usage?: Record<string, number>;
  [field: string]: unknown;
};

/** Submits a job and answers its id. Throws when it was not accepted. */
export async function submit(baseUrl: string, body: Record<string, unknown>): Promise<string> {
  const response = await fetch(`${baseUrl}/api/llm/jobs/submit/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { job_id: string };
  if (response.status !== 202) throw new Error(`submit answered ${response.status} ${JSON.stringify(answer)}`);
  return answer.job_id;
}

export async function readStatus(baseUrl: string, id: string): Promise<View> {
  const response = await fetch(`${baseUrl}/api/llm/jobs/${id}/status/`);
  return (await response.json()) as View;
}

/** Polls until the job is as wanted. */
export async function pollUntil(
  baseUrl: string,
  id: string,
  wanted: (view: View) => boolean,
  patienceMs = 30_000,
): Promise<View> {
  const until = performance.now() + patienceMs;
  for (;;) {
    const view = await readStatus(baseUrl, id);
    if (wanted(view)) return view;
    if (performance.now() > until) throw new Error(`still not as wanted: ${JSON.stringify(view)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const pollToEnd = (baseUrl: string, id: string, patienceMs?: number) =>
  pollUntil(baseUrl, id, (view) => view.is_complete, patienceMs);

/** A submit body for one prompt. */
export function request(model: string, prompt: string) {
  return { job_type: 'general_llm_request', model_id: model, input_data: { prompt } };
}

/** The first calls of processes that just started load and connect clients; what comes after is what is tested. */
export async function warmUp(baseUrl: string): Promise<void> {
  const job = () => submit(baseUrl, request('simulated', 'warm up'));
  const id = await job().catch(job).catch(job);
  await pollToEnd(baseUrl, id, 50_000);
}

/** One request, a GET or with a body a POST, and its answer; `replayed`: it is that of an earlier one. */
export async function ask(
  baseUrl: string,
  path: string,
  body?: object,
  // biome-ignore lint/suspicious/noExplicitAny: what an answer holds is what the tests ask
): Promise<{ status: number; replayed: boolean; body: any }> {
  const headers = { 'Content-Type': 'application/json' };
  const init = body ? { method: 'POST', headers, body: JSON.stringify(body) } : {};
  const response = await fetch(`${baseUrl}${path}`, init);
  const replayed = response.headers.get('Idempotency-Replayed') === 'true';
  return { status: response.status, replayed, body: await response.json() };
}
