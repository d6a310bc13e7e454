/** What `/break-it/` does to a running service, and what becomes of the jobs: the same tests on npm start and on the emulators. */
import { EventSourceParserStream } from 'eventsource-parser/stream';
import { describe, expect, test } from 'vitest';
import { newJobId } from '../../shared/client/job-id.ts';
import { ask, readStatus, type View } from '../support/http-client.ts';

type State = {
  available: Record<string, true | string>;
  model: string;
  counters: Record<string, number>;
  frozen: boolean;
  calls: Record<string, number>;
};

/** As long as a killed service takes to be there again, on a busy machine. */
const PATIENCE_MS = 40_000;

export function breakItTests(baseUrl: () => string): void {
  const state = async () => (await ask(baseUrl(), '/break-it/')).body as State;
  const deed = (path: string, body: object = {}) => ask(baseUrl(), `/break-it/${path}/`, body);

  /** Submits a job that is there to be broken. */
  async function victim(directions: string): Promise<string> {
    const id = newJobId();
    const prompt = `[break-it ${id} ${directions}] Say something.`;
    const body = { job_type: 'general_llm_request', model_id: 'break-it', stream: true, input_data: { prompt } };
    const response = await fetch(`${baseUrl()}/api/llm/jobs/${id}/`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(response.status).toBe(202);
    return id;
  }

  const untilCalled = (id: string) => expect.poll(async () => (await state()).calls[id], { timeout: 20_000 }).toBe(1);

  /** The job's last view, and that what was called was recorded; whoever breaks a service has to ask again. */
  async function ended(id: string, isWanted = (view: View) => view.is_complete): Promise<View> {
    let view: View | undefined;
    await expect
      .poll(
        async () => {
          view = await readStatus(baseUrl(), id).catch(() => undefined);
          return view !== undefined && isWanted(view);
        },
        { timeout: PATIENCE_MS, interval: 100 },
      )
      .toBe(true);
    const { calls } = await state();
    const recorded = (view?.attempts ?? []).reduce((sum, attempt) => sum + attempt.calls, 0);
    expect(calls[id]).toBeLessThanOrEqual(recorded);
    expect(view).toMatchObject({ status: 'completed' });
    return view as View;
  }

  test('says what can be done, and what came of it until now', async () => {
    expect(await state()).toMatchObject({
      available: { kill_worker: true, deliver: true, rate_limit: true, cut: true, freeze_store: true },
      model: 'break-it',
      counters: { refused_writes: 0, kills: 0, deliveries: 0 },
      frozen: false,
    });
  });

  describe.concurrent('one job alone', () => {
    test('whose message is delivered ten times: it is called for once, and ten claims are refused', async () => {
      const before = (await state()).counters;
      const id = await victim('seconds=2');
      await untilCalled(id);
      expect(await deed('deliver', { job_id: id, times: 10 })).toMatchObject({ status: 200, body: { success: true } });
      expect((await ended(id)).attempts).toMatchObject([{ outcome: 'completed', calls: 1 }]);
      const { counters, calls } = await state();
      expect(counters.deliveries).toBe(10);
      expect((counters.refused_claims ?? 0) - (before.refused_claims ?? 0)).toBeGreaterThanOrEqual(9);
      expect(calls[id]).toBe(1);
    });

    test('whose provider answers 429: it is called for again, no sooner than the provider says', async () => {
      const id = await victim('seconds=0 rate_limit=1');
      const { attempts } = await ended(id);
      expect(attempts).toMatchObject([{ outcome: 'failed', error_code: 'rate_limited' }, { outcome: 'completed' }]);
      const [first, second] = attempts.map(({ started_at }) => Date.parse(started_at));
      expect((second ?? 0) - (first ?? 0)).toBeGreaterThanOrEqual(1_000);
      expect((await state()).calls[id]).toBe(2);
    });

    test('whose answer is cut off: it is called for again, and the whole answer is its result', async () => {
      const id = await victim('seconds=1 cut=1');
      const { attempts, result_data } = await ended(id);
      expect(attempts).toMatchObject([{ outcome: 'failed', error_code: 'network' }, { outcome: 'completed' }]);
      // Ten words, none twice.
      expect(result_data?.result.trim()).toBe('This answer takes its time, so that there is time');
      expect((await state()).calls[id]).toBe(2);
    });
  });

  test('the worker is killed in the middle of a call: the attempt is lost, and the job is not', async () => {
    const id = await victim('seconds=2');
    await untilCalled(id);
    expect(await deed('kill-worker')).toMatchObject({ status: 200, body: { success: true } });
    expect((await ended(id)).attempts).toMatchObject([{ outcome: 'lost' }, { outcome: 'completed' }]);
    const { counters, calls } = await state();
    expect(counters.kills).toBe(1);
    // They are counted where nobody was killed.
    expect(calls[id]).toBe(2);
    expect(counters.deliveries).toBe(10);
  }, 60_000);

  test('the store is frozen: readers wait or are told so, and the job completes afterwards', async () => {
    const id = await victim('seconds=1');
    await untilCalled(id);
    expect(await deed('freeze-store', { seconds: 3 })).toMatchObject({ status: 200, body: { success: true } });
    expect((await state()).frozen).toBe(true);
    // Of a job that nobody reads yet, nothing is in anybody's memory.
    const askedMs = performance.now();
    const { status } = await ask(baseUrl(), `/api/llm/jobs/?tag=${id}`);
    expect(status === 503 || performance.now() - askedMs > 1_500).toBe(true);
    await ended(id);
    await expect.poll(async () => (await state()).frozen, { timeout: 10_000 }).toBe(false);
  }, 60_000);

  test('the stream tells of changes', async () => {
    const leaving = new AbortController();
    const { body } = await fetch(`${baseUrl()}/break-it/stream/`, { signal: leaving.signal });
    const events = body?.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream()).getReader();
    const next = async () => {
      const { value } = (await events?.read()) ?? {};
      return { event: value?.event, state: JSON.parse(value?.data ?? '{}') as State };
    };
    const first = await next();
    expect(first).toEqual({ event: 'state', state: await state() });
    const deliveries = (first.state.counters.deliveries ?? 0) + 1;
    // Of a job that is not there; what is delivered in vain is delivered.
    await deed('deliver', { job_id: newJobId(), times: 1 });
    expect((await next()).state.counters.deliveries).toBe(deliveries);
    leaving.abort();
  });

  test('bad input is told by its fields, and changes nothing', async () => {
    const before = await state();
    const job_id = newJobId();
    const wrong: [string, object, [path: string, message: string][]][] = [
      ['kill-worker', { now: true }, [['now', 'is not a known field']]],
      ['deliver', { job_id }, [['times', 'is required']]],
      ['deliver', { job_id, times: 101 }, [['times', 'must be a whole number from 1 to 100']]],
      ['deliver', { job_id: 'mine', times: 1 }, [['job_id', 'must be the id of a job, a UUID']]],
      ['freeze-store', { seconds: 0.5 }, [['seconds', 'must be a whole number from 1 to 30']]],
      ['freeze-store', [], [['', 'must be an object']]],
    ];
    for (const [path, body, errors] of wrong) {
      const details = errors.map(([field, message]) => ({ path: field, message }));
      expect(await deed(path, body)).toMatchObject({ status: 400, body: { code: 'invalid_request', details } });
    }
    expect(await ask(baseUrl(), '/break-it/everything/')).toMatchObject({ status: 404 });
    expect(await state()).toEqual(before);
  });

  test('no other page does it, not even one that cannot read the answer', async () => {
    const before = await state();
    const post = (headers: Record<string, string>, body = '{}') =>
      fetch(`${baseUrl()}/break-it/kill-worker/`, { method: 'POST', headers, ...(body === '' ? {} : { body }) });
    const json = { 'Content-Type': 'application/json' };
    expect((await post({ ...json, Origin: 'https://evil.example' })).status).toBe(403);
    expect((await post({ Origin: 'https://evil.example' }, '')).status).toBe(403);
    expect((await post({ Origin: 'null' }, '')).status).toBe(403);
    expect((await post({ 'Content-Type': 'text/plain' })).status).toBe(415);
    const reads = await fetch(`${baseUrl()}/break-it/`, { headers: { Origin: 'http://localhost:3000' } });
    expect([reads.status, reads.headers.get('access-control-allow-origin')]).toEqual([403, null]);
    expect(await state()).toEqual(before);
  });
}
