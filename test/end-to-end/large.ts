/** What is too large for a document, over real sockets: an input of 5 MB, a result of 8 MB; 900 KB of each. */
import { expect, test } from 'vitest';
import { pollToEnd, request } from '../support/http-client.ts';
import { readStream } from '../support/sse-client.ts';

/** Takes in a submission that has a `job_id`. */
export type TakeIn = (submission: { job_id: string } & ReturnType<typeof request>) => Promise<void>;

const SIZES = [
  ['an input of 5 MB and a result of 8 MB', 5_000_000, 8_000],
  ['900 KB of each', 900_000, 900],
] as const;
/** Far beyond what it takes on a machine that is busy with others. */
const PATIENCE_MS = 60_000;

export function largeTests(baseUrl: () => string, takeIn: TakeIn): void {
  test.each(SIZES)(
    '%s: stored, read, streamed',
    async (_, bytes, kilobytes) => {
      const job_id = crypto.randomUUID();
      const words = 'Weigh every word. '.repeat(bytes / 18);
      const asked = request('simulated', `${words}\n[simulate kilobytes=${kilobytes} seconds=1]`);
      await takeIn({ ...asked, job_id, stream: true } as typeof asked & { job_id: string });
      const view = await pollToEnd(baseUrl(), job_id, PATIENCE_MS);
      expect(view).toMatchObject({ status: 'completed', attempts: [{ n: 1, calls: 1 }] });
      const text = view.result_data?.result ?? '';
      expect(Buffer.byteLength(text)).toBeGreaterThanOrEqual(kilobytes * 1_000);

      const path = `${baseUrl()}/api/llm/jobs`;
      const result = (await (await fetch(`${path}/${job_id}/result/`)).json()) as typeof view;
      expect(result.result_data).toEqual(view.result_data);
      const { jobs } = (await (await fetch(`${path}/?limit=100`)).json()) as { jobs: (typeof view)[] };
      const listed = jobs.find((one) => one.job_id === job_id);
      expect(listed).toMatchObject({ status: 'completed', result_bytes: expect.any(Number) });
      expect(listed).not.toHaveProperty('result_data');

      const events = await readStream(baseUrl(), job_id, { cursor: 0 });
      const told = events.filter(({ event }) => event === 'delta').map(({ data }) => data.text);
      expect(told.join('') === text).toBe(true);
      expect(events.at(-1)).toMatchObject({ event: 'done' });
      expect(events.at(-1)?.data.result_data.result === text).toBe(true);
    },
    2 * PATIENCE_MS,
  );

  test('what is over the cap is refused, naming it, and there is no job', async () => {
    const job_id = crypto.randomUUID();
    const response = await fetch(`${baseUrl()}/api/llm/jobs/${job_id}/`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request('simulated', 'x'.repeat(8_400_000))),
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ code: 'input_too_large', error: expect.stringContaining('8388608') });
    expect((await fetch(`${baseUrl()}/api/llm/jobs/${job_id}/status/`)).status).toBe(404);
  });
}
