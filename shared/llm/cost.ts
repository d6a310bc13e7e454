/**
 * Prices, through `@pydantic/genai-prices`: a table within the package, so nothing is asked of any network. Dollars there
 * are floats; here they are whole nano-dollars.
 */
import { estimateTokenCount } from 'tokenx';
import type { JobModel, Usage } from '../core/job.ts';
import { type LlmRequest, textOf } from '../core/llm.ts';
import { type NanoUsd, type Pricing, toUsd } from '../core/pricing.ts';

type Model = Pick<JobModel, 'provider' | 'model'>;

/** Our providers as the table names them. Servers whose operator sets the price are not in it. */
const TABLE_NAMES: { readonly [provider: string]: string } = {
  openai: 'openai',
  gemini: 'google',
  vertex: 'google',
  anthropic: 'anthropic',
};
/** What nobody is paid for. */
const FREE = 'simulated';

/** What a vendor adds to each message, and takes for an image of which nobody knows the size. */
const TOKENS_PER_MESSAGE = 4;
const TOKENS_PER_IMAGE = 1_000;
/** OpenAI takes no smaller limit. */
const OUTPUT_TOKENS_LEAST = 16;
const SAMPLE_TOKENS = 1_000;

/** The prices of all known models; loads the table on first use (30 ms, 20 MB). */
export function tablePricing(): Pricing {
  async function costOf({ provider, model }: Model, usage: Usage, atMs: number): Promise<NanoUsd> {
    if (provider === FREE) return 0;
    const providerId = TABLE_NAMES[provider];
    if (providerId === undefined) return null;
    const { calcPrice } = await import('@pydantic/genai-prices');
    const cached = Math.min(usage.cachedInputTokens ?? 0, usage.inputTokens);
    const counted = {
      input_tokens: usage.inputTokens,
      // A part of the input, and cheaper; reasoning tokens are a part of the output, and cost the same.
      ...(cached > 0 ? { cache_read_tokens: cached } : {}),
      output_tokens: usage.outputTokens,
    };
    const price = calcPrice(counted, model.replace(/^google\//, ''), { providerId, timestamp: new Date(atMs) });
    return price && Math.round(price.total_price * 1_000_000_000);
  }

  return {
    costOf,
    estimateTokens: estimateTokenCount,
    estimateInputTokens,
    async within(model, request, nanoUsdMost, atMs) {
      const inputTokens = estimateInputTokens(request);
      const priceWith = (outputTokens: number) =>
        costOf(model, { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens }, atMs);
      const [inputCost, sampleCost] = await Promise.all([priceWith(0), priceWith(SAMPLE_TOKENS)]);
      if (inputCost === null || sampleCost === null) {
        return { refused: `The price of ${model.model} is not known, so max_cost cannot be kept; leave it out.` };
      }
      const perToken = (sampleCost - inputCost) / SAMPLE_TOKENS;
      const affordable = perToken > 0 ? Math.floor((nanoUsdMost - inputCost) / perToken) : Number.MAX_SAFE_INTEGER;
      if (affordable < OUTPUT_TOKENS_LEAST) {
        const least = toUsd(Math.ceil(inputCost + perToken * OUTPUT_TOKENS_LEAST));
        return {
          refused: `A call of ${model.model} with this input costs at least about $${least}, more than max_cost leaves.`,
        };
      }
      const maxOutputTokens = Math.min(request.maxOutputTokens ?? affordable, affordable);
      return { request: maxOutputTokens === Number.MAX_SAFE_INTEGER ? request : { ...request, maxOutputTokens } };
    },
  };
}

function estimateInputTokens({ messages, tools = [], responseSchema }: LlmRequest): number {
  const texts = messages.map((message) => estimateTokenCount(textOf(message)) + TOKENS_PER_MESSAGE);
  const images = messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter((part) => part.type === 'image'),
  );
  const described = [...tools, ...(responseSchema ? [responseSchema] : [])].map((each) =>
    estimateTokenCount(JSON.stringify(each)),
  );
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return sum(texts) + sum(described) + images.length * TOKENS_PER_IMAGE;
}
