/**
 * `npm run demo -- "a prompt"`: one job from submit to result, drawn as it goes, on a service of its own that keeps
 * nothing. With a provider's key set it uses that provider. Leaves nothing running and nothing behind.
 */
import { existsSync } from 'node:fs';
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { type Config, readConfig } from '../shared/config.ts';
import { startLocal } from './local.ts';
import { bar, CLEAR } from './progress-bar.ts';

type View = {
  status: string;
  is_complete: boolean;
  progress: number;
  message: string;
  created_at: string;
  result_data?: { result: string };
  error_message?: string;
  usage?: { input_tokens: number; output_tokens: number; total_tokens: number };
  model: { name: string };
};

/** Of the text that comes in, so much is shown beside the bar. */
const TAIL_CHARACTERS = 40;

/** A cheap model of a provider that is set up. */
function modelOf({ openaiApiKey, geminiApiKey, openaiCompatibleModels }: Config): string {
  if (openaiApiKey) return 'gpt-4o-mini';
  if (geminiApiKey) return 'gemini-2.5-flash';
  return openaiCompatibleModels[0] ?? 'simulated';
}

async function call<T>(url: string, options?: RequestInit): Promise<T> {
  const response = await fetch(url, options);
  const answer = (await response.json()) as T & { error?: string };
  if (!response.ok) throw new Error(answer.error ?? `HTTP ${response.status}`);
  return answer;
}

/** Submits one job and follows its stream, drawing it as it comes; answers whether it completed. */
async function runDemo(baseUrl: string, model: string, prompt: string): Promise<boolean> {
  const startedMs = performance.now();
  const seconds = () => `${((performance.now() - startedMs) / 1_000).toFixed(1)} s`;
  const body = { job_type: 'general_llm_request', model_id: model, stream: true, input_data: { prompt } };
  const { job_id } = await call<{ job_id: string }>(`${baseUrl}/api/llm/jobs/submit/`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });
  console.log(`Job ${job_id}`);
  let text = '';
  let progress = 0;
  let message = '';
  const response = await fetch(`${baseUrl}/api/llm/jobs/${job_id}/stream/`);
  const events = response.body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  for await (const { event, data } of events ?? []) {
    const said = JSON.parse(data) as View & { text?: string };
    if (event === 'done') {
      draw(`${bar(1)} 100 %  ${said.message}  ${seconds()}`);
      draw(undefined);
      report(said, seconds());
      return said.status === 'completed';
    }
    if (event === 'reset') text = '';
    text += said.text ?? '';
    progress = said.progress ?? progress;
    message = said.message ?? message;
    const tail = text.replace(/\s+/g, ' ').slice(-TAIL_CHARACTERS).toWellFormed();
    draw(`${bar(progress / 100)} ${progress} %  ${(process.stdout.isTTY && tail) || message}  ${seconds()}`);
  }
  throw new Error('the stream ended before the job');
}

function report({ status, result_data, error_message, usage, model }: View, time: string): void {
  console.log(`\n${result_data?.result ?? error_message}\n`);
  const tokens = usage ? `${usage.input_tokens} tokens in, ${usage.output_tokens} out` : 'no usage reported';
  console.log(`${status} by ${model.name} in ${time}; ${tokens}`);
}

let drawn = '';
/** Redraws the one line; into a file or a pipe each change is a line of its own. */
function draw(line: string | undefined): void {
  if (process.stdout.isTTY) process.stdout.write(line === undefined ? '\n' : `${CLEAR}${line}`);
  else if (line !== undefined && line.split('  ')[0] !== drawn) {
    drawn = line.split('  ')[0] ?? '';
    console.log(line);
  }
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
