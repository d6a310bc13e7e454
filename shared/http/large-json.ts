/** A JSON answer of which one field is too large to be held in memory: it goes out as it is read, as fast as it is taken. */
import type { Context, TypedResponse } from 'hono';
import type { HttpEnv } from './env.ts';

/** The field of a view that is `undefined` there, and how many bytes of JSON text it has. */
export type LargeField<View> = {
  name: keyof View & string;
  bytes: number;
  /** The text in pieces, the first of which is there. Not asked for by whoever wants the headers alone. */
  load: () => Promise<AsyncIterable<string>>;
};

const encoder = new TextEncoder();

/**
 * Answers 200 with the view, its large field in its place. Throws what `load` throws; where a later piece cannot be read,
 * the connection breaks, and its length tells the client that the answer is not whole.
 */
export async function answerLarge<View extends object>(
  context: Context<HttpEnv>,
  view: View,
  { name, bytes, load }: LargeField<View>,
): Promise<Response & TypedResponse<View, 200, 'json'>> {
  const [head, tail] = around(view, name);
  const body = context.req.method === 'HEAD' ? null : bodyOf(head, await load(), tail);
  context.header('Content-Type', 'application/json');
  context.header('Content-Length', String(head.byteLength + bytes + tail.byteLength));
  // Typed as the JSON that it is.
  return context.body(body as ReadableStream, 200) as never;
}

/** The JSON of an object before and after the value of one field, which stands where the object has it. */
function around(view: object, name: string): [head: Uint8Array, tail: Uint8Array] {
  const fields = Object.entries(view);
  const at = fields.findIndex(([field]) => field === name);
  const before = JSON.stringify(Object.fromEntries(fields.slice(0, at))).slice(0, -1);
  const after = JSON.stringify(Object.fromEntries(fields.slice(at + 1))).slice(1);
  const head = `${before}${before === '{' ? '' : ','}${JSON.stringify(name)}:`;
  return [encoder.encode(head), encoder.encode(`${after === '}' ? '' : ','}${after}`)];
}

function bodyOf(head: Uint8Array, texts: AsyncIterable<string>, tail: Uint8Array): ReadableStream<Uint8Array> {
  const pieces = (async function* () {
    yield head;
    for await (const text of texts) yield encoder.encode(text);
    yield tail;
  })();
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      // Also where the client has gone: nothing more is read.
      cancel: () => void pieces.return(undefined),
    },
    // Nothing is read before it is asked for.
    { highWaterMark: 0 },
  );
}
