/** A job survives the way into Firestore's wire format and back. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromFields, inputOf, toFields } from '../../shared/adapters/firestore-document.ts';
import { sampleJob } from '../contracts/job-store.ts';

const instant = fc.integer({ min: 0, max: 4_000_000_000_000 });
const words = fc.string({ unit: 'grapheme' });

test('any job and any input', () => {
  fc.assert(
    fc.property(
      fc.record({
        user: words,
        createdAt: instant,
        startedAt: fc.option(instant, { nil: undefined }),
        leaseExpiresAt: fc.option(instant, { nil: null }),
        result: fc.option(fc.jsonValue({ depthSize: 'large' }), { nil: undefined }),
        rings: fc.nat(),
      }),
      fc.jsonValue(),
      (over, input) => {
        // What is undefined is not in a document; -0 is 0 in JSON.
        const plain = <T>(value: T): T => JSON.parse(JSON.stringify(value));
        const job = plain(sampleJob(over as never));
        const fields = toFields({ ...job, input });
        expect(fromFields(fields)).toEqual(job);
        expect(inputOf(fields)).toEqual(plain(input));
      },
    ),
    { numRuns: 500 },
  );
});

test('instants are timestamps, inputs and results are text', () => {
  const fields = toFields({
    createdAt: 1_700_000_000_123,
    result: [[1]],
    rings: 2,
    ratio: 0.5,
    wakeAt: null,
    stage: undefined,
  });
  expect(fields).toEqual({
    createdAt: { timestampValue: { seconds: 1_700_000_000, nanos: 123_000_000 } },
    result: { stringValue: '[[1]]' },
    rings: { integerValue: 2 },
    ratio: { doubleValue: 0.5 },
    wakeAt: { nullValue: 'NULL_VALUE' },
  });
});
