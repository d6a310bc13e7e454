/**
 * Prices, through `@pydantic/genai-prices`: a table within the package, so nothing is asked of any network. Dollars there
 * are floats; here they are whole nano-dollars.
 */
import { estimateTokenCount } from 'tokenx';
import { isCount } from '../core/answers.ts';
import type { Usage } from '../core/attempt-record.ts';
import { type NanoUsd, toNanoUsd, toUsd } from '../core/costs.ts';
import type { JobModel } from '../core/job.ts';
import { type LlmRequest, textOf } from '../core/llm.ts';
import type { Pricing } from '../core/pricing.ts';
import { parameterOf } from './specs/model-spec.ts';
import { modelSpecs } from './specs/registry.ts';

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
/** OpenAI cuts files into passages of 800 tokens. */
const TOKENS_PER_PASSAGE = 800;
/** OpenAI takes no smaller limit. */
const OUTPUT_TOKENS_LEAST = 16;
/** No model of the table says more in one answer, and a vendor refuses a limit above what its model can say. */
const OUTPUT_TOKENS_MOST = 128_000;
/** Of scripts that tokenx does not know (Thai, Arabic, Hebrew) it takes seven characters for a token. */
const BYTES_PER_TOKEN_MOST = 8;
/** Prices are per million: of fewer tokens, the rounding would show in the price of one. */
const SAMPLE_TOKENS = 1_000_000;

/** The prices of all known models; loads the table on first use (30 ms, 20 MB). */
export function tablePricing(): Pricing {
  return {
    costOf,
    estimateTokens,
    estimateInputTokens,
    async cap(model, request, nanoUsdMost, atMs, inputTokens = estimateInputTokens(request)) {
      const priceWith = (outputTokens: number) =>
        costOf(model, { inputTokens, outputTokens, totalTokens: inputTokens + outputTokens }, atMs);
      const [inputCost, sampleCost] = await Promise.all([priceWith(0), priceWith(SAMPLE_TOKENS)]);
      if (inputCost === null || sampleCost === null) {
        return { refused: `The price of ${model.model} is not known, so max_cost cannot be kept; leave it out.` };
      }
      // A price that rises by tier rises with the input alone, so each token of the output costs the same.
      const perToken = (sampleCost - inputCost) / SAMPLE_TOKENS;
      const wanted = request.maxOutputTokens ?? outputTokensMost(model) ?? OUTPUT_TOKENS_MOST;
      const affordable = perToken > 0 ? Math.floor((nanoUsdMost - inputCost) / perToken) : wanted;
      if (inputCost > nanoUsdMost || affordable < Math.min(OUTPUT_TOKENS_LEAST, wanted)) {
        const least = toUsd(Math.ceil(inputCost + perToken * OUTPUT_TOKENS_LEAST));
        return {
          refused: `A call of ${model.model} with this input costs at least about $${least}, more than max_cost leaves.`,
        };
      }
      return { request: affordable < wanted ? { ...request, maxOutputTokens: affordable } : request };
    },
  };
}

/** How many tokens a model can say in one answer, where that is known. */
function outputTokensMost({ provider, model }: Model): number | undefined {
  const spec = modelSpecs.find(provider, model);
  const limit = spec && parameterOf(spec, 'max_tokens');
  return limit?.type === 'int' ? limit.maxValue : undefined;
}

async function costOf({ provider, model }: Model, usage: Usage, atMs: number): Promise<NanoUsd> {
  if (provider === FREE) return 0;
  const providerId = TABLE_NAMES[provider];
  const { inputTokens, outputTokens, cachedInputTokens: cached } = usage;
  if (providerId === undefined || !isCount(inputTokens) || !isCount(outputTokens)) return null;
  const counted = {
    input_tokens: inputTokens,
    // A part of the input, and cheaper; what cannot be one is priced as the rest. Reasoning tokens are a part of the
    // output, and cost the same.
    ...(isCount(cached) && cached <= inputTokens ? { cache_read_tokens: cached } : {}),
    output_tokens: outputTokens,
  };
  table ??= import('@pydantic/genai-prices');
  const { calcPrice } = await table;
  const nanoUsd = () => {
    const price = calcPrice(counted, model.replace(/^google\//, ''), { providerId, timestamp: new Date(atMs) });
    return price && toNanoUsd(price.total_price);
  };
  const known = orNull(nanoUsd);
  return Number.isSafeInteger(known) ? known : null;
}

/** Where modules are resolved on another thread, as under tsx, an `import()` takes a tenth of what a job costs. */
let table: Promise<typeof import('@pydantic/genai-prices')> | undefined;

/** The table throws for usage and instants that it cannot make sense of; an answer that came must not be lost by it. */
function orNull<T>(price: () => T): T | null {
  try {
    return price();
  } catch {
    return null;
  }
}

/** A text of many languages takes a quarter of a second a megabyte. */
const SAMPLES = 64;
const SAMPLE_CHARACTERS = 2 * 1_024;

/** Of a very long text, as many for its length as pieces from all over it have. */
function sampledTokenCount(text: string): number {
  const looked = SAMPLES * SAMPLE_CHARACTERS;
  if (text.length <= looked) return estimateTokenCount(text);
  let tokens = 0;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const start = Math.floor((sample * (text.length - SAMPLE_CHARACTERS)) / (SAMPLES - 1));
    tokens += estimateTokenCount(text.slice(start, start + SAMPLE_CHARACTERS));
  }
  return Math.ceil((tokens / looked) * text.length);
}

function estimateTokens(text: string): number {
  return Math.max(sampledTokenCount(text), Math.ceil(new TextEncoder().encode(text).length / BYTES_PER_TOKEN_MOST));
}

function estimateInputTokens({ messages, tools = [], responseSchema, fileSearch }: LlmRequest): number {
  const texts = messages.map((message) => {
    const calls = message.role === 'assistant' ? (message.toolCalls ?? []) : [];
    const said = [textOf(message), ...calls.map((call) => `${call.name} ${call.arguments}`)].join(' ');
    return estimateTokens(said) + TOKENS_PER_MESSAGE;
  });
  const passages = (fileSearch?.maxResults ?? 0) * TOKENS_PER_PASSAGE;
  const images = messages.flatMap(({ content }) =>
    typeof content === 'string' ? [] : content.filter((part) => part.type === 'image'),
  );
  const described = [...tools, ...(responseSchema ? [responseSchema] : [])].map((each) =>
    estimateTokens(JSON.stringify(each)),
  );
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0);
  return sum(texts) + sum(described) + passages + images.length * TOKENS_PER_IMAGE;
}
