/** Structured extraction in tests on virtual time. */
import { structuredExtraction } from '../../shared/job-types/structured-extraction.ts';
import { instanceOf } from '../../shared/llm/structured/instance.ts';

/**
 * Loads what checks the answers, and what makes them up. That takes real time, in which the timers of virtual time would
 * run, one after another, to the end of an attempt.
 */
export async function warmExtraction(): Promise<void> {
  const model = { id: 'x', name: 'x', provider: 'x', model: 'x' };
  for (const input of [{ text: 'x' }, { text: 'x', extended: true }]) {
    const { responseSchema } = structuredExtraction.toRequest(input, model);
    const { value } = await instanceOf(responseSchema?.schema ?? {});
    const answer = { text: JSON.stringify(value), finishReason: 'stop', toolCalls: [] } as const;
    await structuredExtraction.toResult({ ...answer, fileSearchResults: [], warnings: [] }, input);
  }
}
