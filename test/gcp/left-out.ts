/** Those tests of the end-to-end suite that no deployment can pass, by their names, with what each would need. */
export const LEFT_OUT: readonly { names: readonly string[]; why: string }[] = [
  {
    why: "the test's own provider, which a deployment cannot reach, and its count of calls",
    names: [
      "seed 000's submit-and-poll code prints the error of a job that fails",
      "seed 000's submit-and-get-later code",
      "seed 001's curl lines print what its document shows",
      "seed 002's curl session",
      'a batch of seed 002 is as many jobs',
      'a trainer analysis goes through the OpenAI SDK',
      'answers, too',
      'a retired name is shown as it was asked for',
      'a provider that refuses our key fails the job',
      '200 jobs submitted at once all complete',
      '50 submits under one key at once',
    ],
  },
  {
    why: 'streams that end after a second and a half (STREAM_MS)',
    names: ['Q03: an EventSource outlives', 'an EventSource hears every token and the metrics'],
  },
];

/** A pattern for `vitest -t` that fits all other tests. */
export function allOthers(): string {
  const names = LEFT_OUT.flatMap(({ names }) => names).map((name) => name.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return `^(?!.*(?:${names.join('|')})).*$`;
}
