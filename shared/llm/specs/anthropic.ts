/**
 * Anthropic's models, and the retired one that a seed document names. Where nobody says what the newest take, they take
 * what can be said to any.
 *
 * @see https://platform.claude.com/docs/en/about-claude/models/overview
 * @see https://platform.claude.com/docs/en/build-with-claude/effort
 * @see https://github.com/mnfst/modelparams.dev/pull/38 what Opus 4.8 takes
 */
import { DEFAULT_TEMPERATURE, DEFAULT_TOP_P } from '../constants.ts';
import type { ModelCapabilities, ModelFamily, ParameterSpec } from './model-spec.ts';
import { specsOf } from './model-spec.ts';

const COMMON: ModelCapabilities = {
  ...{ supportsStreaming: true, supportsVision: true },
  ...{ supportsTools: true, supportsStructuredOutput: true },
};
const REASONING: ModelCapabilities = { ...COMMON, supportsReasoning: true };
const SAMPLING: readonly ParameterSpec[] = [
  { name: 'temperature', type: 'float', minValue: 0, maxValue: 1, defaultValue: DEFAULT_TEMPERATURE },
  { name: 'top_p', type: 'float', minValue: 0, maxValue: 1, defaultValue: DEFAULT_TOP_P },
];
const maxTokens = (maxValue?: number): ParameterSpec => ({ name: 'max_tokens', type: 'int', minValue: 1, maxValue });
const effort = (...allowedValues: string[]): ParameterSpec => ({
  name: 'reasoning.effort',
  type: 'enum',
  allowedValues,
});
const EFFORTS = ['none', 'low', 'medium', 'high'];

/** They reason by budgets alone, for which there is no word in requests. */
const CLAUDE_4_5: ModelFamily = { capabilities: COMMON, parameters: [...SAMPLING, maxTokens(64_000)] };
const OPUS_4_5: ModelFamily = {
  capabilities: REASONING,
  parameters: [...SAMPLING, maxTokens(64_000), effort(...EFFORTS)],
};
/** Refuses `temperature` and `top_p`. */
const OPUS_4_8: ModelFamily = {
  capabilities: REASONING,
  parameters: [maxTokens(128_000), effort(...EFFORTS, 'xhigh')],
};
const CLAUDE_5: ModelFamily = {
  capabilities: REASONING,
  parameters: [...SAMPLING, maxTokens(), effort(...EFFORTS, 'xhigh')],
};

export const anthropicSpecs = specsOf('anthropic', [
  ['9701406a-384f-4c8e-b355-50c13679f2c3', 'Claude Opus 4.5', 'claude-opus-4-5', OPUS_4_5],
  ['c575466d-8455-4c28-8a4f-012a201ec264', 'Claude Sonnet 4.5', 'claude-sonnet-4-5', CLAUDE_4_5],
  ['942b20ed-6cde-4d7d-9705-5c32ccae6529', 'Claude Haiku 4.5', 'claude-haiku-4-5', CLAUDE_4_5],
  ['86e015f7-a102-4516-944c-bf7a442a39c4', 'Claude Opus 4.8', 'claude-opus-4-8', OPUS_4_8],
  ['a49f0413-e5a0-4a80-a63e-1cf93b713f69', 'Claude Sonnet 5', 'claude-sonnet-5', CLAUDE_5],
  ['b6fb689a-c63a-48eb-b6dd-5b00f175eeed', 'Claude Opus 5', 'claude-opus-5', CLAUDE_5],
  ['261e29ac-5763-40e5-ba58-d061fa1c2643', 'Claude Haiku 5.5', 'claude-haiku-5-5', CLAUDE_5],
  ['7b6c56c1-ac5f-4669-9306-95bf1fbc839f', 'Claude Sonnet 5.5', 'claude-sonnet-5-5', CLAUDE_5],
  ['bfd732c3-e947-4226-9190-f6f4353a89a2', 'Claude Opus 5.5', 'claude-opus-5-5', CLAUDE_5],
  ['5e556f46-8234-4ebf-824c-aae33f0b20e6', 'Claude 3 Opus', 'claude-3-opus', OPUS_4_8, 'claude-opus-4-8'],
]);
