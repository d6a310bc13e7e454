/** `/jobs` on virtual time: a model that says given words, and readers of what is streamed. */
import { sleep } from '../../shared/core/ports.ts';
import { jobService } from '../../shared/core/service.ts';
import { modelCatalog } from '../../shared/llm/catalog.ts';
import { callsOf, type Reply } from '../support/app.ts';
import { type CoreWorld, coreWorld, FINISH, type Generate, NO_PROVIDERS } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

/** What the document asks, and what it is answered. */
export const STORY = { prompt: 'Write a short story about AI', provider: 'openai', model: 'gpt-4' };
export const WORDS = ['Once', ' upon', ' a', ' time'];
/** As long as the document's answer takes. */
export const STEP_MS = 625;
const USAGE = { inputTokens: 7, outputTokens: 42, totalTokens: 49 };

export type Event = { event?: string; id?: string; data: Record<string, unknown> };

export type StreamingWorld = ReturnType<typeof streamingWorld>;

/** A model that says these words, one after another. */
export function saying(words: readonly string[], of: () => CoreWorld): Generate {
  return async function* () {
    for (const text of words) {
      yield { type: 'text-delta', text };
      await sleep(of().clock, STEP_MS);
    }
    yield { type: 'usage', usage: USAGE };
    yield FINISH;
  };
}

/** Keys of OpenAI and Gemini are there; `generate` answers in place of both. */
export function streamingWorld(generate?: Generate) {
  const world: CoreWorld = coreWorld(generate ?? saying(WORDS, () => world));
  const { clock } = world;
  const keys = { openaiApiKey: 'sk-test', geminiApiKey: 'AIza-test' };
  const models = modelCatalog({ ...NO_PROVIDERS, ...keys, clock });
  const service = jobService({ ...world, models, wakeShards: 1 });
  const app = appOver(world, { service, models });
  const calls = callsOf(app);

  /** As it goes over the wire. */
  async function stream(id: string, headers: Record<string, string> = {}, method = 'GET') {
    const response = await clock.until(Promise.resolve(app.request(`/jobs/${id}/stream`, { method, headers })));
    return { status: response.status, headers: response.headers, text: await clock.until(response.text()) };
  }

  return {
    ...calls,
    world,
    service,
    app,
    stream,
    /** Creates the document's job. */
    async create(over: Record<string, unknown> = {}): Promise<string> {
      const { status, body }: Reply = await calls.post('/jobs', { ...STORY, ...over });
      if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`);
      return body.id;
    },
    run: (id: string) => clock.until(world.run({ tenant: 'default', id })),
    events: async (id: string, cursor?: string): Promise<Event[]> =>
      eventsIn((await stream(id, cursor === undefined ? {} : { 'Last-Event-ID': cursor })).text),
    close() {
      service.close();
      world.close();
    },
  };
}

/** The events of a stream; what has no data is none. */
export function eventsIn(text: string): Event[] {
  return text.split('\n\n').flatMap((block) => {
    const fields = Object.fromEntries(block.split('\n').map((line) => /^(\w*): ?(.*)$/.exec(line)?.slice(1) ?? []));
    return fields.data === undefined ? [] : [{ ...fields, data: JSON.parse(fields.data) } as Event];
  });
}

/** The tokens that a reader has, joined: those since the last reset. */
export function joined(events: readonly Event[]): string {
  return events.reduce((text, { event, data }) => {
    if (event === 'reset') return '';
    return event === undefined ? text + data.token : text;
  }, '');
}
