/**
 * `npm run demo -- "a prompt"`: one job from submit to result, drawn as it goes, on a service of its own that keeps
 * nothing. With a provider's key set it uses that provider. Leaves nothing running and nothing behind.
 */
import { existsSync } from 'node:fs';
import { createClient } from '../shared/client/client.ts';
import { answerOf, printable, summaryOf } from '../shared/client/command-line-output.ts';
import { barLine, CLEAR } from '../shared/client/progress-bar.ts';
import { type Config, readConfig } from '../shared/config.ts';
import { startLocal } from './local.ts';

/** Of the text that comes in, so much is shown beside the bar. */
const TAIL_CHARACTERS = 40;

/** A cheap model of a provider that is set up. */
function modelOf({ openaiApiKey, geminiApiKey, openaiCompatibleModels }: Config): string {
  if (openaiApiKey) return 'gpt-4o-mini';
  if (geminiApiKey) return 'gemini-2.5-flash';
  return openaiCompatibleModels[0] ?? 'simulated';
}

/** Submits one job and follows its stream, drawing it as it comes; answers whether it completed. */
async function runDemo(baseUrl: string, model: string, prompt: string): Promise<boolean> {
  const jobs = createClient({ baseUrl });
  const startedMs = performance.now();
  const elapsed = () => (performance.now() - startedMs) / 1_000;
  const { job_id } = await jobs.submit({
    job_type: 'general_llm_request',
    model_id: model,
    stream: true,
    input_data: { prompt },
  });
  console.log(`Job ${job_id}`);
  let tail = '';
  let seen = { progress: 0, message: '' };
  for await (const event of jobs.stream(job_id, { timeoutMs: Infinity })) {
    if (event.type === 'done') {
      const { job } = event;
      draw(100, `${elapsed().toFixed(1)} s  ${job.message}`);
      if (process.stdout.isTTY) console.log();
      console.log(`\n${job.status === 'completed' ? answerOf(job) : job.error_message}\n`);
      console.log(summaryOf(job, elapsed()));
      return job.status === 'completed';
    }
    if ('soFar' in event) tail = event.soFar.replace(/\s+/g, ' ').slice(-TAIL_CHARACTERS).toWellFormed();
    if ('job' in event) seen = event.job;
    else if (event.type === 'progress') seen = event;
    const { progress, message } = seen;
    const shown = (process.stdout.isTTY && printable(tail)) || message;
    draw(progress, `${elapsed().toFixed(1)} s  ${shown}`);
  }
  throw new Error('the stream ended before the job');
}

let drawn = -1;
/** Redraws the one line; into a file or a pipe each change is a line of its own. */
function draw(progress: number, beside: string): void {
  const { stdout } = process;
  if (stdout.isTTY) stdout.write(`${CLEAR}${barLine(progress, beside, stdout.columns)}`);
  else if (progress !== drawn) console.log(barLine(progress, beside, undefined));
  drawn = progress;
}

async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const prompt = process.argv.slice(2).join(' ') || 'Say hello to whoever runs this demo.';
  const ownService = { authModes: [], rateLimits: undefined, port: 0, databaseUrl: ':memory:' };
  const config = { ...readConfig(), ...ownService, logLevel: 'error' as const };
  const service = await startLocal(config);
  try {
    const completed = await runDemo(service.baseUrl, modelOf(config), prompt);
    process.exitCode = completed ? 0 : 1;
  } finally {
    await service.close();
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
