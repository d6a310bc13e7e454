/** What `npm run keys` says to wrong words. */
import { expect, test } from 'vitest';
import { actOf } from '../../infra/keys.ts';

test.each([
  [[], 'Say what to do'],
  [['destroy'], "'destroy' is unknown"],
  [['create'], '--name is required: 1 to 64 letters'],
  [['create', '--name', 'a b'], '--name is wrong: 1 to 64 letters'],
  [['create', '--name', 'a', '--scopes', 'jobs:read,jobs'], '--scopes must be some of jobs:read, jobs:write, admin'],
  [['create', '--name', 'a', '--scopes', ''], '--scopes must be some of'],
  [['create', '--name', 'a', '--days', '0'], '--days must be a whole number from 1 to 3650'],
  [['create', '--name', 'a', '--tenant', 'a~b'], '--tenant must be 1 to 64 letters'],
  [['create', '--name', 'a', '--user', ''], '--user must be 1 to 128 visible ASCII characters'],
  [['create', '--name', 'a', '--day', '3'], "Unknown option '--day'; create takes --name, --tenant"],
  [['list', 'all'], "'all' is one word too many for list"],
  [['revoke'], 'revoke takes one id'],
  [['revoke', 'reports'], 'revoke takes one id'],
])('%j', (words, sentence) => {
  expect(() => actOf(words)).toThrow(sentence);
});

test.each([
  [['create', '--name', 'a']],
  [['create', '--name=a', '--tenant=b', '--user=c', '--scopes= admin , jobs:read', '--days=3650']],
  [['list', '--tenant', 'a']],
  [['revoke', '0123456789ab']],
])('%j is right', (words) => {
  expect(actOf(words)).toMatchObject({ project: undefined });
  expect(actOf([...words, '--project', 'p'])).toMatchObject({ project: 'p' });
});
