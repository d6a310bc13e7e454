/** Which revision a rollback sends traffic back to, from what gcloud answers, and with which words. */
import { describe, expect, test } from 'vitest';
import { commandOf, type Revision, stepOf, stepTo } from '../../infra/rollback.ts';
import { ours, type Service } from '../../infra/serving.ts';

function revision(name: string, day: number, ready = 'True'): Revision {
  const creationTimestamp = `2026-11-${String(day).padStart(2, '0')}T10:00:00.000000Z`;
  return { metadata: { name, creationTimestamp }, status: { conditions: [{ type: 'Ready', status: ready }] } };
}
type Traffic = NonNullable<NonNullable<Service['status']>['traffic']>;
const service = (name: string, traffic: Traffic, latestReadyRevisionName = 'r3'): Service => ({
  metadata: { name },
  status: { traffic, latestReadyRevisionName },
});
const LATEST: Traffic = [{ latestRevision: true, percent: 100 }];
const REVISIONS = [revision('r1', 1), revision('r3', 3), revision('r2', 2)];

describe('a step of a rollback', () => {
  test('goes from what serves to the youngest ready revision that is older', () => {
    expect(stepOf('api', service('llm-jobs-api', LATEST), REVISIONS)).toMatchObject({ from: 'r3', to: 'r2' });
  });
  test('skips a revision that was never ready', () => {
    const revisions = [revision('r1', 1), revision('r2', 2, 'False'), revision('r3', 3)];
    expect(stepOf('api', service('s', LATEST), revisions)).toMatchObject({ from: 'r3', to: 'r1' });
  });
  test('after one rollback goes one further, not forward again', () => {
    const traffic = [
      { revisionName: 'r2', percent: 100 },
      { revisionName: 'r3', percent: 0 },
    ];
    expect(stepOf('api', service('s', traffic), REVISIONS)).toMatchObject({ from: 'r2', to: 'r1' });
  });
  test.each<[string, Service, Revision[]]>([
    ['no ready revision is older', service('s', LATEST, 'r1'), [revision('r1', 1)]],
    ['what serves is not in the list', service('s', LATEST, 'r9'), REVISIONS],
    [
      'divided among 2 revisions',
      service('s', [
        { revisionName: 'r1', percent: 50 },
        { revisionName: 'r2', percent: 50 },
      ]),
      REVISIONS,
    ],
    ['divided among 0 revisions', service('s', []), REVISIONS],
  ])('is none where %s', (why, of, revisions) => {
    const step = stepOf('api', of, revisions);
    expect(step.to).toBeUndefined();
    expect(step.why).toContain(why);
  });
});

describe('a step to what was noted', () => {
  const noted = { 'llm-jobs-api': 'r2', 'llm-jobs-status': 'r3' };
  test('goes there from whatever serves, also from several', () => {
    expect(stepTo(noted, 'api', service('llm-jobs-api', LATEST))).toMatchObject({ from: 'r3', to: 'r2' });
    expect(stepTo(noted, 'api', service('llm-jobs-api', []))).toMatchObject({ to: 'r2' });
  });
  test.each([
    ['left alone', 'llm-jobs-status'],
    ['none served it before', 'llm-jobs-worker'],
  ])('is none where it was %s', (why, name) => {
    const step = stepTo(noted, 'x', service(name, LATEST));
    expect(step.to).toBeUndefined();
    expect(step.why).toContain(why);
  });
});

test('the doors go back first, the worker last, and nobody else with them', () => {
  const named = ['llm-jobs-worker', 'other-api', 'llm-jobs-api', 'llm-jobs', 'llm-jobs-sweeper', 'llm-jobs-status'];
  const services = named.map((name) => service(name, LATEST));
  expect(ours(services, 'llm-jobs').map(({ name }) => name)).toEqual(['api', 'status', 'sweeper', 'worker']);
});

test('the words for gcloud', () => {
  const step = { name: 'api', service: 'llm-jobs-api', to: 'r2' };
  expect(commandOf(step, ['--project', 'p', '--region', 'r']).join(' ')).toBe(
    'run services update-traffic llm-jobs-api --to-revisions=r2=100 --project p --region r --quiet',
  );
});
