/** Webhooks from end to end: a job is submitted, a receiver on a real socket hears of it, and the log says what it answered. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { eventBody } from '../../functions/surfaces/llm-jobs-deliveries-events.ts';
import { freePort } from '../../infra/child-processes.ts';
import { readConfig } from '../../shared/config.ts';
import {
  cancelOf,
  deliveriesOf,
  general,
  openApp,
  pause,
  redeliverOf,
  SUBMIT,
  statusOf,
  type TestApp,
} from '../support/app.ts';
import { type RawReceiver, type Received, rawReceiver } from '../support/raw-receiver.ts';

const PATIENCE_MS = 10_000;
const [LOCAL_SECRET = ''] = readConfig({}).webhookSecrets;
const answerOf = (line: string, more = '') => `HTTP/1.1 ${line}\r\n${more}content-length: 0\r\n\r\n`;

let api: TestApp;
let receiver: RawReceiver;
beforeAll(async () => {
  api = await openApp();
});
afterAll(() => api.close());
beforeEach(async () => {
  receiver = await rawReceiver();
});
afterEach(() => receiver.close());

async function submit(prompt: string, webhook: object = {}): Promise<string> {
  const url = `http://127.0.0.1:${receiver.port}/hook`;
  const { status, body } = await api.post(SUBMIT, { ...general({ prompt }), webhook: { url, ...webhook } });
  expect([status, body.error]).toEqual([202, undefined]);
  return body.job_id;
}

const log = async (id: string) => (await api.get(deliveriesOf(id))).body;

/** The log, once so many tries are in it. */
async function tried(id: string, times: number) {
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await pause(2)) {
    const found = await log(id);
    if (found.deliveries.length >= times) return found;
  }
  throw new Error(`the webhook of ${id} was not tried ${times} times`);
}

/** What a receiver does with what it gets: it verifies, then reads. */
const opened = ({ body, headers }: Received) => eventBody.parse(new Webhook(LOCAL_SECRET).verify(body, headers));

test('a receiver hears of the end, verifies it, and finds the job in it', async () => {
  const id = await submit('Hello.', { include: 'job' });
  const view = await api.poll(id);
  const { deliveries, pending } = await tried(id, 1);
  expect(pending).toEqual([]);
  expect(receiver.received).toHaveLength(1);
  const event = opened(receiver.received[0] as Received);
  expect(event).toMatchObject({ type: 'job.completed', data: { job_id: id, status: 'completed', is_complete: true } });
  expect(event.data.job).toEqual(view);
  expect(deliveries).toMatchObject([
    {
      ...{ event_id: receiver.received[0]?.headers['webhook-id'], type: 'job.completed', outcome: 'delivered' },
      ...{ status: 200, version: event.data.version, happened_at: event.timestamp },
    },
  ]);
});

test('each event comes once, in its order, with the version of the job', async () => {
  const events = ['job.started', 'job.completed', 'job.failed', 'job.cancelled'];
  const [done, failed, cancelled] = [
    await submit('Hello.', { events }),
    await submit('[simulate fail=auth]', { events }),
    await submit('[simulate seconds=60]', { events }),
  ];
  await tried(cancelled, 1);
  await api.send('POST', cancelOf(cancelled));
  for (const [id, end] of [
    [done, 'completed'],
    [failed, 'failed'],
    [cancelled, 'cancelled'],
  ] as const) {
    const view = await api.poll(id);
    await tried(id, 2);
    const heard = receiver.received.map(opened).filter(({ data }) => data.job_id === id);
    expect(heard.map(({ type }) => type)).toEqual(['job.started', `job.${end}`]);
    expect(heard[0]?.data.version).toBeLessThan(heard[1]?.data.version ?? 0);
    const { version, error_code } = heard[1]?.data ?? {};
    expect([version, error_code]).toEqual([view.version, view.error_code]);
  }
});

test.each<[string, string, object]>([
  ['500', answerOf('500 Internal Server Error'), { reason: 'status', status: 500 }],
  ['404', answerOf('404 Not Found'), { reason: 'status', status: 404 }],
  ['a redirect', answerOf('302 Found', 'location: http://127.0.0.1:1/\r\n'), { reason: 'redirect', status: 302 }],
  ['nonsense', 'hello\r\n\r\n', { reason: 'network' }],
])('one that answers %s is told again, and the job never knows', async (_, text, why) => {
  receiver.answers((socket) => socket.end(text));
  const id = await submit('Hello.');
  const view = await api.poll(id);
  const failed = await tried(id, 1);
  expect(failed.deliveries).toMatchObject([{ outcome: 'failed', ...why, message: expect.stringMatching(/\w+ \w+/) }]);
  expect(failed).toMatchObject({ pending: [{ type: 'job.completed' }], tries: 1, next_try_at: expect.any(String) });
  expect((await api.get(statusOf(id))).body).toEqual(view);
  // Mended, it is not left to wait.
  receiver.answers((socket) => socket.end(answerOf('204 No Content')));
  expect((await api.send('POST', redeliverOf(id))).status).toBe(202);
  expect(await tried(id, 2)).toMatchObject({ pending: [], deliveries: [{ outcome: 'delivered', status: 204 }, {}] });
  const [first, second] = receiver.received;
  expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
  expect(second?.body).toBe(first?.body);
  expect(opened(second as Received).data.job_id).toBe(id);
});

test('one that answers 410 is told no more of that job, until its owner asks', async () => {
  receiver.answers((socket) => socket.end(answerOf('410 Gone')));
  const id = await submit('Hello.');
  await api.poll(id);
  expect(await tried(id, 1)).toMatchObject({
    given_up: true,
    pending: [],
    deliveries: [{ reason: 'gone', status: 410 }],
  });
  receiver.answers((socket) => socket.end(answerOf('200 OK')));
  await api.send('POST', redeliverOf(id));
  expect(await tried(id, 2)).toMatchObject({ deliveries: [{ outcome: 'delivered' }, { reason: 'gone' }] });
});

test('the receiver of the README takes in what is ours, and nothing else', { timeout: 20_000 }, async () => {
  const readme = readFileSync(join(import.meta.dirname, '../../functions/README.md'), 'utf8');
  const [, command = '', code = ''] = /```js\n\/\/ (WEBHOOK_SECRET=\S+) node (.*?)```/s.exec(readme) ?? [];
  const port = await freePort();
  const program = `//${code.replace('9000', String(port))}`;
  const environment = { ...process.env, WEBHOOK_SECRET: command.replace('WEBHOOK_SECRET=', '') };
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { env: environment });
  let printed = '';
  child.stdout.on('data', (text) => {
    printed += text;
  });
  try {
    const url = `http://127.0.0.1:${port}/`;
    const answered = () => fetch(url, { method: 'POST', body: '{}' }).catch(() => undefined);
    let forged = await answered();
    for (const until = performance.now() + PATIENCE_MS; !forged && performance.now() < until; forged = await answered())
      await pause(20);
    expect(forged?.status).toBe(401);
    const id = await submit('Hello.', { url });
    await api.poll(id);
    const { deliveries } = await tried(id, 1);
    expect(deliveries).toMatchObject([{ outcome: 'delivered', status: 204 }]);
    const [{ event_id, version }] = deliveries;
    await expect.poll(() => printed).toBe(`${event_id} job.completed ${id} ${version}\n`);
  } finally {
    child.kill();
  }
});

test('one that is not there is said not to be, and another job is not kept waiting', async () => {
  const port = receiver.port;
  await receiver.close();
  const id = await submit('Hello.', { url: `http://127.0.0.1:${port}/` });
  expect((await api.poll(await api.submit('Another.'))).status).toBe('completed');
  expect((await tried(id, 1)).deliveries).toMatchObject([{ outcome: 'failed', reason: 'network' }]);
});
