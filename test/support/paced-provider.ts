/** A provider behind a real socket that takes as long as its prompt says, and counts its calls. */
import { setTimeout as pause } from 'node:timers/promises';
import { PROTOCOLS } from '../providers/protocols.ts';
import { startScriptedProvider } from './scripted-provider.ts';

export type PacedProvider = {
  /** What a worker needs to call it. */
  environment: Record<string, string>;
  /** How many calls came whose body holds this text. */
  callsAbout(text: string): number;
  /** How many answers went out whole. */
  answered(): number;
  stop(): Promise<void>;
};

/** The model to ask for. */
export const PACED = 'gpt-4o-mini';

/** Answers at once, or after `[seconds=N]`. */
export async function startPacedProvider(): Promise<PacedProvider> {
  const [responses] = PROTOCOLS;
  if (!responses) throw new Error('no protocol');
  const { opening, delta, ending } = responses;
  const server = await startScriptedProvider();
  let answered = 0;
  server.answerWith(async ({ body, stream, write, response }) => {
    stream();
    await write(opening);
    const seconds = /\[seconds=([\d.]+)\]/.exec(JSON.stringify(body))?.[1] ?? 0;
    await pause(Number(seconds) * 1_000);
    await write(delta('Done.') + ending);
    response.end(() => {
      answered += 1;
    });
  });
  return {
    environment: { OPENAI_API_KEY: 'sk-test', OPENAI_BASE_URL: `${server.url}/v1` },
    callsAbout: (text) => server.requests.filter(({ body }) => JSON.stringify(body).includes(text)).length,
    answered: () => answered,
    stop: server.stop,
  };
}
