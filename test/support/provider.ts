/**
 * A provider behind a real socket: `@copilotkit/aimock`, scripted by model. `gpt-4o-mini` answers, `gpt-4` tells a story
 * when it is asked for one, else refuses our key, `gpt-4o` answers after a while; `CANARY_MODELS` say words that must get into no log.
 */
import { LLMock } from '@copilotkit/aimock';
import { plant } from './canaries.ts';

export const ANSWER = 'The analysis shows… 分析は 👩‍🔬 fertig.';
export const USAGE = { input_tokens: 21, output_tokens: 9, total_tokens: 30 };
/** What `gpt-4o-mini` finds in a text about a clinic. */
export const EXTRACTION = {
  summary: 'A kind doctor and a short wait.',
  sentiment: 'positive',
  tags: ['clinic', 'experience'],
  entities: [{ type: 'person', value: 'Dr. Rao', confidence: 0.94 }],
};
const CHAT_USAGE = { prompt_tokens: 21, completion_tokens: 9, total_tokens: 30 };
const GEMINI_USAGE = { promptTokenCount: 21, candidatesTokenCount: 9, totalTokenCount: 30 };
/** What `gpt-4` answers when it is asked for a story, in some parts. */
export const STORY = 'Once upon a time';
export const STORY_USAGE = { input_tokens: 7, output_tokens: 42, total_tokens: 49 };
const STORY_PARTS = { latency: 100, chunkSize: 5 };
/** What the models do whose words are planted. */
export const CANARY_MODELS = { answers: 'gpt-5', refuses: 'o1', overloaded: 'o3', cuts: 'o4-mini' };
export const PLANTED_ANSWER = `An answer with ${plant('result')}.`;
const PLANTED_ERROR = `No, not ${plant('provider')}, and not with sk-planted-0123456789.`;
/** Between two parts of the slow model's answer. */
const PART_PAUSE_MS = 300;

export type Provider = {
  /** As `OPENAI_BASE_URL` takes it. */
  baseUrl: string;
  /** The settings of all providers that it plays. */
  environment: Record<string, string>;
  /** How many requests came whose body holds this text. */
  callsAbout(text: string): number;
  /** Ends it; from then on connections are refused. */
  stop(): Promise<void>;
};

export async function startProvider(): Promise<Provider> {
  const mock = new LLMock({ host: '127.0.0.1', port: 0, logLevel: 'silent' });
  const aboutClinic = { model: 'gpt-4o-mini', userMessage: 'I loved the clinic.' };
  mock.on(aboutClinic, { content: JSON.stringify(EXTRACTION), usage: USAGE });
  mock.on({ model: 'gpt-4o-mini' }, { content: ANSWER, usage: USAGE });
  mock.on({ model: 'llama3.2' }, { content: ANSWER, usage: CHAT_USAGE });
  mock.on({ model: 'gemini-2.5-flash' }, { content: ANSWER, usage: GEMINI_USAGE });
  mock.on({ model: 'gpt-4o' }, { content: ANSWER, usage: USAGE }, { latency: PART_PAUSE_MS });
  // The first one that matches answers.
  mock.on({ model: 'gpt-4', userMessage: 'short story' }, { content: STORY, usage: STORY_USAGE }, STORY_PARTS);
  mock.on(
    { model: 'gpt-4' },
    { status: 401, error: { message: 'Incorrect API key provided: sk-secret', code: 'invalid_api_key' } },
  );
  mock.on({ model: CANARY_MODELS.answers }, { content: PLANTED_ANSWER, usage: USAGE });
  for (const [model, status, type] of [
    [CANARY_MODELS.refuses, 400, 'invalid_request_error'],
    [CANARY_MODELS.overloaded, 503, 'server_error'],
  ] as const) {
    mock.on({ model }, { status, error: { message: PLANTED_ERROR, code: 'x', type } });
  }
  mock.on({ model: CANARY_MODELS.cuts }, { content: PLANTED_ANSWER.repeat(10) }, { truncateAfterChunks: 3 });
  const url = await mock.start();
  let stopped = false;
  return {
    baseUrl: `${url}/v1`,
    environment: {
      OPENAI_API_KEY: 'sk-test',
      OPENAI_BASE_URL: `${url}/v1`,
      OPENAI_COMPATIBLE_BASE_URL: `${url}/v1`,
      OPENAI_COMPATIBLE_MODELS: 'llama3.2',
      GEMINI_API_KEY: 'AIza-test',
      GEMINI_BASE_URL: url,
    },
    callsAbout: (text) => mock.getRequests().filter((entry) => JSON.stringify(entry.body).includes(text)).length,
    async stop() {
      if (!stopped) await mock.stop();
      stopped = true;
    },
  };
}
