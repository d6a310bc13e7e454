/**
 * The part of `/api/llm` that a benchmark's load asks of every contestant: submit a job, and wait for it. What is behind it
 * is the contestant's affair.
 */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import OpenAI from 'openai';

export type Submission = { job_type: string; model_id: string; input_data: { prompt: string } };

export type Answer = {
  result: string;
  usage: { input_tokens: number; output_tokens: number; total_tokens: number } | undefined;
};

export type Known = {
  jobType: string;
  status: 'pending' | 'processing' | 'completed' | 'failed';
  createdAt: number;
  answer?: Answer | undefined;
  errorMessage?: string | undefined;
};

export type Jobs = {
  /** Resolves when the job is kept as safely as the contestant keeps jobs. */
  submit(id: string, submission: Submission): Promise<void>;
  /** The job, as soon as it is over, or when `waitMs` have passed; `undefined`: there is no such job. */
  read(id: string, waitMs: number): Promise<Known | undefined>;
};

/** Serves the contract on `PORT`. */
export async function serveContract({ submit, read }: Jobs): Promise<{ close(): Promise<void> }> {
  const app = new Hono();
  app.get('/health', (context) => context.json({ status: 'ok' }));
  app.post('/api/llm/jobs/submit/', async (context) => {
    const body: unknown = await context.req.json().catch(() => undefined);
    if (!isSubmission(body)) return context.json({ success: false, error: 'validation_error' }, 400);
    const id = crypto.randomUUID();
    await submit(id, body);
    return context.json(
      {
        success: true,
        job_id: id,
        status: 'pending',
        message: 'Job submitted successfully. Use job_id to poll for results.',
        job_type: body.job_type,
        created_at: new Date().toISOString(),
      },
      202,
    );
  });
  app.get('/api/llm/jobs/:id/status/', async (context) => {
    const id = context.req.param('id');
    const waitSeconds = Number(context.req.query('wait') ?? 0);
    if (!(waitSeconds >= 0 && waitSeconds <= 60))
      return context.json({ success: false, error: 'validation_error' }, 400);
    const job = await read(id, waitSeconds * 1_000);
    if (!job) return context.json({ success: false, error: 'job_not_found' }, 404);
    const { jobType, status, createdAt, answer, errorMessage } = job;
    return context.json({
      success: true,
      job_id: id,
      job_type: jobType,
      status,
      is_complete: status === 'completed' || status === 'failed',
      created_at: new Date(createdAt).toISOString(),
      ...(answer && { result_data: { success: true, result: answer.result }, usage: answer.usage }),
      error_message: errorMessage,
    });
  });
  const server = serve({ fetch: app.fetch, port: Number(process.env.PORT), hostname: '127.0.0.1' });
  await new Promise<void>((resolve) => server.once('listening', resolve));
  return { close: () => new Promise<void>((resolve) => server.close(() => resolve())) };
}

function isSubmission(body: unknown): body is Submission {
  if (typeof body !== 'object' || body === null) return false;
  const { job_type, model_id, input_data } = body as Partial<Submission>;
  return typeof job_type === 'string' && typeof model_id === 'string' && typeof input_data?.prompt === 'string';
}

const openai = new OpenAI({ maxRetries: 0 });

/** One call of the provider, streamed, with the text collected. */
export async function callProvider({ model_id, input_data }: Submission): Promise<Answer> {
  const stream = await openai.responses.create({ model: model_id, input: input_data.prompt, stream: true });
  let result = '';
  let usage: Answer['usage'];
  for await (const event of stream) {
    if (event.type === 'response.output_text.delta') result += event.delta;
    if (event.type === 'response.completed' && event.response.usage) {
      const { input_tokens, output_tokens, total_tokens } = event.response.usage;
      usage = { input_tokens, output_tokens, total_tokens };
    }
  }
  return { result, usage };
}
