/** What is typed for a batch, and what of it remains when it was answered. Pure. */
import type { LlmJobsError } from '../../../shared/client/client.ts';
import { type Json, parsed } from '../form/values.ts';

/** What became of one job of a batch. */
export type BatchItem = { index: number } & (
  | { success: true; job_id: string }
  | { success: false; error: string; code: string; details?: LlmJobsError['details'] }
);
export type BatchAnswer = { batch_id: string; items: BatchItem[]; accepted: number; rejected: number };

const isJson = (text: string) => /^\s*\[/.test(text);
const linesIn = (text: string) => text.split('\n').filter((line) => line.trim() !== '');

/** The submissions that a text holds: a prompt a line, or all as a JSON array. Throws a sentence where it is neither. */
export function submissionsIn(text: string, model: string): unknown[] {
  if (isJson(text)) return parsed(text) as unknown[];
  return linesIn(text).map((prompt): Json => {
    return { job_type: 'general_llm_request', model_id: model, input_data: { prompt } };
  });
}

/** The text without what was accepted, and what is wrong with each job that is left, from 1 on. */
export function leftOf(text: string, items: readonly BatchItem[]): { text: string; wrong: string[] } {
  const refused = items.filter((item) => !item.success);
  const left = <T>(all: readonly T[]) => refused.flatMap(({ index }) => (index in all ? [all[index] as T] : []));
  const wrong = refused.map(({ error }, n) => `${isJson(text) ? 'Job' : 'Line'} ${n + 1}: ${error}`);
  if (isJson(text)) return { text: JSON.stringify(left(parsed(text) as unknown[]), undefined, 2), wrong };
  return { text: left(linesIn(text)).join('\n'), wrong };
}

/** The batches that some jobs belong to, the newest first. */
export function batchesOf(jobs: readonly { batch_id?: string; created_at: string; is_complete: boolean }[]) {
  const batches = new Map<string, { id: string; created_at: string; jobs: number; over: number }>();
  for (const { batch_id: id, created_at, is_complete } of jobs) {
    if (id === undefined) continue;
    const { jobs: before, over } = batches.get(id) ?? { jobs: 0, over: 0 };
    batches.set(id, { id, created_at, jobs: before + 1, over: over + Number(is_complete) });
  }
  return [...batches.values()];
}
