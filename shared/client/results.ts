/** What completed jobs hold as `result_data`, by job type: `wait<ResultOf<'prompt_generation'>>(…)`. */
import type { ToolCall } from './general-input.ts';
import type { JobType } from './submissions.ts';

export type TextResult = { success: true; result: string };

/** What there is to say of an answer beside its text. */
type Besides = {
  /** Absent when the answer ended by itself. */
  finish_reason?: 'tool_calls' | 'length' | 'content_filter';
  tool_calls?: (ToolCall & { type: 'function' })[];
  file_search_results?: { text: string; score?: number; file_id?: string; filename?: string }[];
  /** What was not done as asked. */
  warnings?: string[];
};

/** `Value`: what the `response_schema` asks for; without one, text. */
export type GeneralResult<Value = string> = Besides & { success: true; result: Value };

/** What a text was found to say; the last two where the input is `extended`. */
export type Extraction = {
  summary: string;
  sentiment: 'positive' | 'neutral' | 'negative';
  tags: string[];
  entities: { type: string; value: string; confidence: number }[];
  language?: string;
  toxicity_score?: number;
};

type Results = {
  general_llm_request: GeneralResult;
  trainer_question_analysis: TextResult;
  review_colab: TextResult & { warnings?: string[] };
  structured_extraction: Besides & { success: true; result: Extraction };
  /** `generated_by_ai: false`: no model could answer; it is the manual prompt under a fixed instruction. */
  prompt_generation: TextResult & { generated_by_ai: boolean };
};

/** The result of a job of this type. */
export type ResultOf<Type extends JobType> = Results[Type];
