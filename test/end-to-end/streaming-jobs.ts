/** Seed 001 over real sockets: the document's curl lines, and an `EventSource` as pages have it. */
import { EventSource } from 'eventsource';
import { expect, test } from 'vitest';
import { pollUntil } from '../support/http-client.ts';
import { STORY, STORY_USAGE } from '../support/provider.ts';
import { runCreate, runStream } from './seed-001/run-curl.ts';

type Shown = { id: string; status: string; result?: string; metrics?: object; createdAt: string; updatedAt: string };

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
/** What the document shows, without the lines by which a client comes back. */
const TRANSCRIPT = /^(data: \{"token":".+"\}\n\n)+event: metrics\ndata: \{"durationMs":\d+,"tokenCount":\d+\}\n\n$/;
const withoutIds = (text: string) => text.replace(/^(retry: .*|: .*)\n\n/gm, '').replaceAll(/^id: \d+\n/gm, '');
const tokensIn = (text: string) =>
  [...text.matchAll(/^data: (\{"token":.*)$/gm)].map(([, data]) => JSON.parse(data ?? '').token).join('');

export function streamingJobsTests(baseUrl: () => string): void {
  const read = async <T = Shown>(path: string) => (await (await fetch(baseUrl() + path)).json()) as T;

  async function create(body: object): Promise<string> {
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${baseUrl()}/jobs`, { method: 'POST', headers, body: JSON.stringify(body) });
    expect(response.status).toBe(202);
    return ((await response.json()) as Shown).id;
  }

  /** What a page hears until its `EventSource` has nothing to come back for. */
  async function hear(id: string) {
    const source = new EventSource(`${baseUrl()}/jobs/${id}/stream`);
    const heard: { event: string; data: Record<string, unknown> }[] = [];
    let connections = 0;
    source.addEventListener('open', () => {
      connections += 1;
    });
    const hearing = (event: string) => (message: { data?: unknown }) => {
      // A connection that ends is an `error`, too, without data.
      if (typeof message.data === 'string') heard.push({ event, data: JSON.parse(message.data) });
    };
    for (const event of ['message', 'reset', 'metrics', 'error']) source.addEventListener(event, hearing(event));
    await new Promise<void>((resolve) => {
      source.addEventListener('error', () => source.readyState === EventSource.CLOSED && resolve());
    });
    return { heard, connections };
  }

  test("seed 001's curl lines print what its document shows", async () => {
    const created = await runCreate(baseUrl());
    const job = JSON.parse(created) as Shown;
    expect(Object.entries(job)).toEqual([
      ['id', expect.stringMatching(/^[0-9a-f-]{36}$/)],
      ['prompt', 'Write a short story about AI'],
      ['provider', 'openai'],
      ['model', 'gpt-4'],
      ['status', 'pending'],
      ['createdAt', TIME],
      ['updatedAt', TIME],
    ]);

    // On a busy machine the time of a stream may be over before the job is; a late reader gets all from the start.
    let streamed = '';
    while (!streamed.includes('event: metrics')) streamed = await runStream(baseUrl(), job.id);
    expect(withoutIds(streamed)).toMatch(TRANSCRIPT);
    expect(tokensIn(streamed)).toBe(STORY);
    const shown = await read(`/jobs/${job.id}`);
    expect(shown).toEqual({
      ...job,
      ...{ status: 'completed', result: STORY, updatedAt: TIME },
      metrics: { durationMs: expect.any(Number), tokenCount: STORY_USAGE.output_tokens },
    });
    expect(streamed).toContain(JSON.stringify(shown.metrics));
    expect(withoutIds(await runStream(baseUrl(), job.id))).toMatch(TRANSCRIPT);
  }, 60_000);

  test('an EventSource hears every token and the metrics, or the error, and stays away when it comes back to a 204', async () => {
    const id = await create({ prompt: 'Outlive us. [simulate seconds=3]', provider: 'simulated', model: 'simulated' });
    const failing = await create({ prompt: 'Refuse me here.', provider: 'openai', model: 'gpt-4' });
    const [{ heard, connections }, refused] = await Promise.all([hear(id), hear(failing)]);
    const { result, metrics } = await read(`/jobs/${id}`);
    expect(connections).toBeGreaterThan(1);
    expect(heard.length).toBeGreaterThan(2);
    expect(heard.slice(0, -1).map(({ event }) => event)).toEqual(heard.slice(1).map(() => 'message'));
    expect(
      heard
        .slice(0, -1)
        .map(({ data }) => data.token)
        .join(''),
    ).toBe(result);
    expect(heard.at(-1)).toEqual({ event: 'metrics', data: metrics });

    const data = { error: 'The provider does not accept our API key.', code: 'auth' };
    expect(refused.heard).toEqual([{ event: 'error', data }]);
    expect(await read(`/jobs/${failing}`)).toMatchObject({ status: 'failed', prompt: 'Refuse me here.' });
  }, 60_000);

  test('the list of jobs shows each as it is shown alone, page by page', async () => {
    const prompts = ['First story.', 'Second story.', 'Third story.'];
    const ids: string[] = [];
    for (const prompt of prompts) ids.unshift(await create({ prompt, provider: 'simulated', model: 'simulated' }));
    for (const id of ids) await pollUntil(baseUrl(), id, (view) => view.is_complete);
    type Page = { jobs: Shown[]; nextCursor: string };
    const first = await read<Page>('/jobs?limit=2');
    const second = await read<Page>(`/jobs?limit=2&cursor=${first.nextCursor}`);
    const shown = [...first.jobs, ...second.jobs].slice(0, 3);
    expect(shown).toEqual(await Promise.all(ids.map((id) => read(`/jobs/${id}`))));
    expect(shown).toMatchObject([...prompts].reverse().map((prompt) => ({ prompt, status: 'completed' })));
  });
}
