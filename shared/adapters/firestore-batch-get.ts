/**
 * `BatchGetDocuments` on the generated client's own stub. Through the client's method a stream of one answer passes a duplex
 * stream, a retrier and an iterator, and takes 380 to 500 µs of processor time in place of 240 to 310.
 */
import type { FirestoreClient } from './firestore-client.ts';
import type { Timestamp } from './firestore-document.ts';

type BatchGetRequest = { database: string; documents: string[]; mask?: { fieldPaths: string[] } };
type Answer<D> = { found?: D | null; missing?: string | null; readTime?: Timestamp | null };

/** Calls back with each answer, and resolves after the last; rejects with gRPC's error. One try. */
export type BatchGet<D> = (request: BatchGetRequest, onAnswer: (answer: Answer<D>) => void) => Promise<void>;

/** On a client's own channel, with its credentials. `headers`: more of them for each call. */
export async function batchGetOf<D>(
  client: FirestoreClient,
  { deadlineMs, headers }: { deadlineMs: number; headers: Record<string, string> },
): Promise<BatchGet<D>> {
  const [{ grpc }, stub] = await Promise.all([import('google-gax'), client.initialize()]);

  return (request, onAnswer) =>
    new Promise((resolve, reject) => {
      const metadata = new grpc.Metadata();
      // As the client's method has it: Google routes by it.
      metadata.set('x-goog-request-params', `database=${encodeURIComponent(request.database)}`);
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      const answers = stub.batchGetDocuments?.(request, metadata, { deadline: Date.now() + deadlineMs });
      answers.on('data', onAnswer).once('error', reject).once('end', resolve);
    });
}
