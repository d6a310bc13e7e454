/**
 * Firestore's own low-level client, with the channel and the call options of ours: the cheapest calls that it has, and
 * nothing around them.
 */
import firestore from '@google-cloud/firestore';
import { grpc } from 'google-gax';
import { FIRESTORE_CHANNEL } from '../../../shared/adapters/firestore-client.ts';

type Value = { stringValue: string } | { integerValue: number } | { timestampValue: Time };
type Time = { seconds: number | string; nanos: number };
export type Fields = { [name: string]: Value };
type Stored = { fields: { [name: string]: { stringValue: string } }; updateTime: Time };

const { GOOGLE_CLOUD_PROJECT: projectId = '', FIRESTORE_EMULATOR_HOST: host = '' } = process.env;
const [servicePath = '', port] = host.split(':');
const client = new firestore.v1.FirestoreClient({
  ...{ projectId, servicePath, port: Number(port), sslCreds: grpc.credentials.createInsecure() },
  ...FIRESTORE_CHANNEL,
});
const database = `projects/${projectId}/databases/(default)`;
const CALL_OPTIONS = {
  timeout: 5_000,
  retry: { retryCodes: [] },
  otherArgs: { headers: { Authorization: 'Bearer owner' } },
} as never;

const nameOf = (id: string) => `${database}/documents/jobs/default~${id}`;

export const text = (stringValue: string): Value => ({ stringValue });
export const time = (ms: number): Value => ({
  timestampValue: { seconds: Math.floor(ms / 1_000), nanos: (ms % 1_000) * 1_000_000 },
});

/** Fails where it is there already. */
export async function create(id: string, fields: Fields): Promise<void> {
  const write = { update: { name: nameOf(id), fields }, currentDocument: { exists: false } };
  await client.commit({ database, writes: [write] }, CALL_OPTIONS);
}

export async function read(id: string): Promise<Stored> {
  const [document] = await client.getDocument({ name: nameOf(id) }, CALL_OPTIONS);
  return document as Stored;
}

/** Fails where it is not as it was then; answers when it was written now. */
export async function update(id: string, updateTime: Time, fields: Fields): Promise<Time> {
  const write = {
    update: { name: nameOf(id), fields },
    updateMask: { fieldPaths: Object.keys(fields) },
    currentDocument: { updateTime },
  };
  const [answer] = await client.commit({ database, writes: [write] }, CALL_OPTIONS);
  return answer.writeResults?.[0]?.updateTime as Time;
}
