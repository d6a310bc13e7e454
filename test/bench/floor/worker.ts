/** The bare floor's `worker`: read, update on a condition, call, update on a condition, 204. */
import type { HttpFunction } from '@google-cloud/functions-framework';
import OpenAI from 'openai';
import { read, text, time, update } from './documents.ts';

const openai = new OpenAI({ maxRetries: 0, logLevel: 'off' });

export const worker: HttpFunction = async ({ body }, response) => {
  const { job_id: id } = JSON.parse(Buffer.from(body.message.data, 'base64').toString());
  const { fields, updateTime } = await read(id);
  const claimed = await update(id, updateTime, { state: text('processing'), startedAt: time(Date.now()) });
  const { prompt } = JSON.parse(fields.input?.stringValue ?? '');
  const events = await openai.responses.create({
    model: fields.model?.stringValue ?? '',
    input: [{ role: 'user', content: prompt }],
    stream: true,
    store: false,
  });
  let result = '';
  let usage: OpenAI.Responses.ResponseUsage | undefined;
  for await (const event of events) {
    if (event.type === 'response.output_text.delta') result += event.delta;
    if (event.type === 'response.completed') usage = event.response.usage;
  }
  await update(id, claimed, {
    state: text('completed'),
    result: text(JSON.stringify({ success: true, result })),
    inputTokens: { integerValue: usage?.input_tokens ?? 0 },
    outputTokens: { integerValue: usage?.output_tokens ?? 0 },
    completedAt: time(Date.now()),
  });
  response.writeHead(204).end();
};
