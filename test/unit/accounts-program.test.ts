/** What `npm run accounts` says to wrong words. */
import { expect, test } from 'vitest';
import { actOf } from '../../infra/accounts.ts';
import { ServiceError } from '../../shared/core/errors.ts';
import type { Runtime } from '../../shared/runtime.ts';

const SET = ['set', '--user', 'ada', '--subscription', 'active'];
const GRANT = ['grant', '--user', 'ada', '--tokens'];

test.each([
  [[], 'Say what to do'],
  [['destroy'], "'destroy' is unknown"],
  [['show'], '--user must be 1 to 300 visible characters'],
  [['show', '--user', 'a\nb'], '--user must be 1 to 300 visible characters'],
  [['show', '--user', 'ada', 'bob'], "'bob' is one word too many for show"],
  [['show', '--user', 'ada', '--tokens', '5'], "Unknown option '--tokens'; show takes --user, --tenant, --project"],
  [['show', '--user', 'ada', '--tenant', 'a~b'], '--tenant must be 1 to 64 letters'],
  [['set', '--user', 'ada'], '--subscription must be one of active, inactive'],
  [[...SET, '--budget', '0', '--period', 'day'], '--budget must be a number of US dollars above 0'],
  [[...SET, '--budget', '1e3', '--period', 'day'], '--budget must be a number of US dollars above 0'],
  [[...SET, '--period', 'day'], '--budget must be a number of US dollars above 0'],
  [[...SET, '--budget', '5'], '--period must be one of day, month'],
  [[...GRANT, '0'], '--tokens must be a whole number other than 0'],
  [[...GRANT, '1.5'], '--tokens must be a whole number other than 0'],
  [[...GRANT, '1000000000001'], '--tokens must be a whole number other than 0'],
  [[...GRANT, '5', '--key', ''], '--key must be 1 to 255 visible ASCII characters'],
])('%j', (words, sentence) => {
  expect(() => actOf(words)).toThrow(sentence);
});

test.each([
  [['show', '--user', 'firebase:ada', '--tenant', 'acme']],
  [[...SET, '--budget', '19.99', '--period', 'month']],
  [[...GRANT, '700', '--key', 'invoice-17']],
  [['grant', '--user=ada', '--tokens=-700']],
])('%j is right', (words) => {
  expect(actOf(words)).toMatchObject({ project: undefined });
  expect(actOf([...words, '--project', 'p'])).toMatchObject({ project: 'p' });
});

test('a grant whose answer is lost names the key under which it counts once', async () => {
  const grants: unknown[] = [];
  const unanswered = {
    async grant(_: unknown, grant: unknown) {
      grants.push(grant);
      throw new ServiceError('store_unavailable', 'The store gave no answer.');
    },
  };
  const sentence = async (words: string[]) => {
    const acting = actOf(words).act({ accounts: unanswered } as unknown as Runtime, () => {});
    return acting.then(
      () => '',
      ({ message }: Error) => message,
    );
  };
  const [, key = ''] = /repeat it with --key "([^"]+)"/.exec(await sentence([...GRANT, '5'])) ?? [];
  expect(key).not.toBe('');
  await sentence([...GRANT, '5', '--key', key]);
  expect(grants).toHaveLength(2);
  expect(grants[1]).toEqual(grants[0]);
});
