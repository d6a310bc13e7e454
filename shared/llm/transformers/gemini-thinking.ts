/** How much a Gemini model shall think, in its generation's words: a budget of tokens before Gemini 3, a level since. Pure. */
import type { ReasoningEffort } from '../../core/llm.ts';
import { leftOut } from './transformer.ts';

export type ThinkingConfig = { thinkingBudget: number } | { thinkingLevel: 'MINIMAL' | 'LOW' | 'MEDIUM' | 'HIGH' };

/** What an effort is there, and a sentence where it is not quite that. */
export type Thinking = { config?: ThinkingConfig; warning?: string };

/**
 * Google's own translation of OpenAI's efforts.
 *
 * @see https://ai.google.dev/gemini-api/docs/openai#thinking
 */
const BUDGETS = { none: 0, minimal: 1_024, low: 1_024, medium: 8_192, high: 24_576, xhigh: 24_576 } as const;
/** Pro has a wider range, and always thinks. */
const PRO_BUDGETS = { ...BUDGETS, none: 128, xhigh: 32_768 } as const;

const LEVELS = {
  none: 'MINIMAL',
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
  xhigh: 'HIGH',
} as const;
/** Pro has no level below low. */
const PRO_LEVELS = { ...LEVELS, none: 'LOW', minimal: 'LOW' } as const;

/** The thinking that stands for an effort. */
export function toThinking(model: string, effort: ReasoningEffort): Thinking {
  const isPro = model.includes('-pro');
  if (model.startsWith('gemini-2.5')) {
    const thinkingBudget = (isPro ? PRO_BUDGETS : BUDGETS)[effort];
    const isExact = isPro ? effort !== 'none' : effort !== 'xhigh';
    return { config: { thinkingBudget }, ...(isExact ? {} : { warning: nearest(model, effort) }) };
  }
  if (model.startsWith('gemini-3')) {
    const thinkingLevel = (isPro ? PRO_LEVELS : LEVELS)[effort];
    const isExact = thinkingLevel.toLowerCase() === effort;
    return { config: { thinkingLevel }, ...(isExact ? {} : { warning: nearest(model, effort) }) };
  }
  return { warning: leftOut(model, 'reasoning effort') };
}

function nearest(model: string, effort: ReasoningEffort): string {
  return `${model} does not know reasoning effort ${effort}; it was asked for the nearest that it knows.`;
}
