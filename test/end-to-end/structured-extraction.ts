/** Seed 002 end to end: its curl session as the document has it, and what it does beside. */
import { expect, test } from 'vitest';
import { readStatus } from '../support/http-client.ts';
import { EXTRACTION, type Provider, USAGE } from '../support/provider.ts';
import { runSession } from './seed-002/run-session.ts';

export function structuredExtractionTests(baseUrl: () => string, provider: () => Provider): void {
  test("seed 002's curl session prints an id, where the job is, and the result as a JSON string", async () => {
    const before = provider().callsAbout('I loved the clinic.');
    const { submitted, statuses, result } = await runSession(baseUrl());
    expect(submitted).toEqual({ job_id: expect.stringMatching(/^[0-9a-f-]{36}$/) });
    const { job_id } = submitted;
    for (const status of statuses.slice(0, -1)) {
      expect(status).toEqual({
        job_id,
        status: expect.stringMatching(/^(queued|started)$/),
        stage: status.status === 'queued' ? null : expect.stringMatching(/^(calling_llm|validating)$/),
      });
    }
    expect(statuses.at(-1)).toEqual({ job_id, status: 'finished', stage: 'done' });
    expect(result).toEqual({ job_id, result: JSON.stringify(EXTRACTION) });
    expect(provider().callsAbout('I loved the clinic.') - before).toBe(1);
    expect(await readStatus(baseUrl(), job_id)).toMatchObject({
      job_type: 'structured_extraction',
      model: { name: 'GPT-4o mini', provider: 'openai' },
      result_data: { success: true, result: EXTRACTION },
      usage: USAGE,
    });
  });

  test('a batch of seed 002 is as many jobs, each with its result', async () => {
    const response = await fetch(`${baseUrl()}/llm/submit/batch`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ texts: ['I loved the clinic.', 'I loved the clinic. Twice.'] }),
    });
    const { job_ids: ids } = (await response.json()) as { job_ids: string[] };
    expect([response.status, ids.length]).toEqual([200, 2]);
    for (const id of ids) {
      const result = async () => (await fetch(`${baseUrl()}/llm/result/${id}`)).json();
      await expect.poll(result, { timeout: 20_000 }).toEqual({ job_id: id, result: JSON.stringify(EXTRACTION) });
    }
  });
}
