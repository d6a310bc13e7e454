/** The bare floor's `submit`: one document, one message, 202. */
import type { HttpFunction } from '@google-cloud/functions-framework';
import { PublisherClient } from '@google-cloud/pubsub/build/src/v1/publisher_client.js';
import { grpc } from 'google-gax';
import { PUBSUB_CHANNEL } from '../../../shared/adapters/pubsub-client.ts';
import { create, text, time } from './documents.ts';

const { GOOGLE_CLOUD_PROJECT: projectId = '', PUBSUB_EMULATOR_HOST: host = '', JOBS_TOPIC } = process.env;
const [servicePath = '', port] = host.split(':');
const publisher = new PublisherClient({
  ...{ projectId, servicePath, port: Number(port), sslCreds: grpc.credentials.createInsecure() },
  ...PUBSUB_CHANNEL,
});
const topic = `projects/${projectId}/topics/${JOBS_TOPIC}`;
const CALL_OPTIONS = { timeout: 2_000, retry: { retryCodes: [] } } as never;
const RETENTION_MS = 30 * 24 * 3_600_000;

export const submit: HttpFunction = async ({ body }, response) => {
  const id = crypto.randomUUID();
  const createdAt = Date.now();
  await create(id, {
    ...{ id: text(id), tenant: text('default'), user: text('local'), state: text('pending') },
    ...{ jobType: text(body.job_type), model: text(body.model_id), input: text(JSON.stringify(body.input_data)) },
    ...{ createdAt: time(createdAt), deleteAt: time(createdAt + RETENTION_MS) },
  });
  const data = Buffer.from(JSON.stringify({ tenant: 'default', job_id: id }));
  await publisher.publish({ topic, messages: [{ data }] }, CALL_OPTIONS);
  response
    .writeHead(202, { 'Content-Type': 'application/json' })
    .end(JSON.stringify({ success: true, job_id: id, status: 'pending' }));
};
