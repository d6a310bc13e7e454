/** The application on virtual time with a model that the test writes, for what seed 002 shows of a job. */
import { memoryRateLimiter } from '../../shared/adapters/memory-rate-limiter.ts';
import { readConfig } from '../../shared/config.ts';
import type { Json } from '../../shared/core/job.ts';
import type { LlmPart } from '../../shared/core/llm.ts';
import { rateLimits } from '../../shared/http/limits.ts';
import type { Runtime } from '../../shared/runtime.ts';
import { callsOf } from '../support/app.ts';
import { ADA, coreWorld, FINISH, type Generate } from '../support/core-world.ts';
import { appOver } from './counted-app.ts';

/** As the document's example has it. */
export const TEXT = 'I loved the clinic. Dr. Rao was kind. Waiting time was 10 minutes.';
export const FOUND =
  '{"summary":"...","sentiment":"positive","tags":["clinic","experience"],"entities":[{"type":"person","value":"Dr. Rao","confidence":0.94}]}';
export const USAGE = { inputTokens: 120, outputTokens: 40, totalTokens: 160 };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** A model that says this. */
export function says(text: string): Generate {
  return async function* (): AsyncIterable<LlmPart> {
    yield { type: 'accepted' };
    yield { type: 'text-delta', text };
    yield { type: 'usage', usage: USAGE };
    yield FINISH;
  };
}

/** A model that thinks until it is told to stop. */
export const thinks: Generate = async function* (_, signal) {
  yield { type: 'accepted' };
  await new Promise((resolve) => signal.addEventListener('abort', resolve));
  throw signal.reason;
};

export type ExtractionWorld = ReturnType<typeof extractionWorld>;

/** `environment` adds settings; with `RATE_LIMITS` they hold. `over` replaces parts of what the application gets. */
export function extractionWorld(
  generate: Generate = says(FOUND),
  environment: Record<string, string> = {},
  over: Partial<Runtime> = {},
) {
  const world = coreWorld(generate);
  const { clock } = world;
  const config = readConfig(environment);
  const { rateLimits: perMinute } = config;
  const limiter = memoryRateLimiter({ clock });
  const limits = environment.RATE_LIMITS && perMinute && rateLimits({ limiter, clock, perMinute, trustedProxies: 0 });
  const app = appOver(world, { config, ...(limits ? { limits } : {}), ...over });
  const calls = callsOf(app);
  const keyOf = (id: string) => ({ tenant: ADA.tenant, id });

  return {
    ...calls,
    app,
    core: world,
    clock,
    /** Submits, and answers the job's id. */
    async submit(body: object = { text: TEXT }, headers: Record<string, string> = {}): Promise<string> {
      const answer = await calls.post('/llm/submit', body, headers);
      const { job_id: id } = answer.body;
      if (answer.status !== 200 || !UUID.test(id)) throw new Error(`submit answered ${JSON.stringify(answer.body)}`);
      return id;
    },
    run: (id: string) => world.run(keyOf(id)),
    runToEnd: (id: string) => world.clock.until(world.run(keyOf(id))),
    status: async (id: string) => (await calls.get(`/llm/status/${id}`)).body,
    result: (id: string) => calls.get(`/llm/result/${id}`),
    cancel: (id: string) => calls.send('POST', `/llm/cancel/${id}`),
    inputOf: async (id: string): Promise<Json | undefined> => (await world.store.getWithInput(keyOf(id)))?.input,
    jobOf: async (id: string) => (await world.store.get(keyOf(id)))?.job,
    close: () => world.close(),
  };
}
