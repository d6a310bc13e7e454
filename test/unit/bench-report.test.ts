/** The report of `npm run bench`: what programs found as one page, whatever they found. */
import { parseHTML } from 'linkedom';
import { expect, test } from 'vitest';
import { type Part, type Plot, passes, type Verdict, verdictLine } from '../bench/support/bench.ts';
import { reportOf } from '../bench/support/report.ts';

const NOTHING: Part = {
  ...{ name: 'nothing', title: 'Nothing', about: 'Found nothing.', isShort: false, tookMs: 1_234 },
  ...{ tables: [], plots: [], verdicts: [], leftOut: [] },
};
const ABOUT = { machine: '2 × a processor', at: new Date('2026-01-02T03:04:05Z'), failed: [] };
const PLOT: Plot = {
  ...{ title: 'How long', kind: 'lines', x: { label: 'jobs' }, y: { label: 'ms' } },
  points: [
    { x: 1, y: 10 },
    { x: 100, y: 20 },
  ],
};

function page(parts: Partial<Part>[], about: Partial<typeof ABOUT> | { failed: { name: string; how: string }[] } = {}) {
  const html = reportOf(
    parts.map((part) => ({ ...NOTHING, ...part })),
    { ...ABOUT, ...about },
  );
  return { html, document: parseHTML(html).document };
}

const texts = (document: Document, selector: string) =>
  [...document.querySelectorAll(selector)].map(({ textContent }) => textContent?.trim());
/** Of both widths, that of pages and paper. */
const pictures = (document: Document) => [...document.querySelectorAll('.wide svg[role=img]')];

test('a part that found nothing still says what it is', () => {
  const { document } = page([{}]);
  expect(texts(document, 'h2')).toEqual(['Nothing']);
  expect(texts(document, 'table, svg')).toEqual([]);
  expect(texts(document, '#nothing .note')).toEqual(['npm run bench -- --only nothing took 1.23 s.']);
  expect(texts(document, 'time')).toEqual(['2026-01-02 03:04 UTC']);
});

test('nothing that comes from a part is taken for HTML', () => {
  const evil = `<img src="x" onerror='alert(1)'>&`;
  const point = { x: evil, y: 1 };
  const axes = { x: { label: evil }, y: { label: evil } };
  const kinds = ['lines', 'bars', 'dots'] as const;
  const { document } = page(
    [
      {
        ...{ name: evil, title: evil, about: evil },
        tables: [{ title: evil, rows: { [evil]: { [evil]: evil } } }],
        plots: kinds.map((kind) => ({
          ...{ title: evil, kind, ...axes },
          points: [
            { ...point, series: evil },
            { ...point, series: `${evil}2` },
          ],
        })),
        verdicts: [{ what: evil, value: 1, unit: evil, atMost: 2 }],
        leftOut: [{ rows: evil, why: evil }],
      },
    ],
    { machine: evil, failed: [{ name: evil, how: evil }] },
  );
  expect(document.querySelectorAll('img, [onerror]').length).toBe(0);
  // Once, not twice: it reads as it was written.
  expect(texts(document, 'h2')).toEqual(['Limits', evil]);
  expect(texts(document, 'td').filter((text) => text === evil).length).toBeGreaterThan(0);
  expect(document.querySelector('svg[role=img]')?.getAttribute('aria-label')).toContain(evil);
});

test('is a page without scripts that asks nobody for anything', () => {
  const { html, document } = page([{ plots: [PLOT] }]);
  expect(document.querySelectorAll('script, link, img, iframe, [src]').length).toBe(0);
  expect(html.replaceAll('http://www.w3.org/', '')).not.toMatch(/https?:\/\/|@import|url\(/);
});

test('all limits are at its top, each with what was measured, and what was not is not kept', () => {
  const verdicts: Verdict[] = [
    { what: 'throughput', value: 0.9012, unit: '× the floor', atLeast: 0.85 },
    { what: 'p99', value: 1.31, unit: '× the floor', atMost: 1.3 },
    { what: 'memory', value: Number.NaN, unit: 'MB', atMost: 64 },
  ];
  expect(verdicts.map(passes)).toEqual([true, false, false]);
  expect(verdicts.map(verdictLine)).toEqual([
    'passes      throughput: 0.901 × the floor (at least 0.85)',
    'FALLS SHORT p99: 1.31 × the floor (at most 1.3)',
    'FALLS SHORT memory: NaN MB (at most 64)',
  ]);
  const { document } = page([{ verdicts }]);
  const [first] = document.querySelectorAll('main > section');
  expect(texts(document, 'main > section:first-child p')).toEqual(['1 of 3 are kept.']);
  const rows = [...(first?.querySelectorAll('tbody tr') ?? [])].map((row) =>
    [...row.children].map(({ textContent }) => textContent),
  );
  expect(rows).toEqual([
    ['✓ passes', 'throughput', '0.901 × the floor', '≥ 0.85', 'Nothing'],
    ['✗ falls short', 'p99', '1.31 × the floor', '≤ 1.3', 'Nothing'],
    ['✗ falls short', 'memory', 'not measured', '≤ 64', 'Nothing'],
  ]);
});

test.each(['lines', 'dots', 'bars'] as const)('%s are a picture with a title, axes, a legend and words', (kind) => {
  const points = ['ours', 'the floor'].flatMap((series, n) => PLOT.points.map(({ x, y }) => ({ x, y: y + n, series })));
  const { document } = page([{ plots: [{ ...PLOT, kind, points }] }]);
  expect(texts(document, 'figcaption')).toEqual(['How long']);
  const [picture, ...more] = pictures(document);
  expect(more).toEqual([]);
  expect(picture?.getAttribute('aria-label')).toBe('How long. ms by jobs; ours: 10 to 20; the floor: 11 to 21.');
  expect(picture?.textContent).toContain('ms');
  expect(picture?.querySelectorAll('path, rect').length).toBeGreaterThan(1);
  expect(texts(document, '.wide')[0]).toContain('ours');
  expect(texts(document, '.wide')[0]).toContain('the floor');
});

test.each(['lines', 'dots', 'bars'] as const)(
  '%s on a logarithmic axis leave out what has no place there, and say so',
  (kind) => {
    const points = [0, -1, Number.NaN, 1, 1_000].map((y) => ({ x: 10, y }));
    const { document } = page([{ plots: [{ ...PLOT, kind, y: { label: 'ms', isLogarithmic: true }, points }] }]);
    expect(texts(document, '.note')[0]).toBe('3 of 5 values cannot be drawn.');
    expect(pictures(document)[0]?.getAttribute('aria-label')).toContain('1 to 1000');
    expect(pictures(document)[0]?.outerHTML).not.toMatch(/NaN|Infinity/);
  },
);

test('a plot without points is a sentence', () => {
  const { document } = page([{ plots: [{ ...PLOT, points: [] }] }]);
  expect(texts(document, 'figure .note')).toEqual(['Nothing was measured that could be drawn.']);
});

test('a table has heads of its columns and rows, also where rows have not all of them', () => {
  const rows = { ours: { ms: 1.5, durable: true }, theirs: { note: 'none', ms: undefined } };
  const { document } = page([{ tables: [{ title: 'Times', rows }] }]);
  expect(texts(document, 'thead th[scope=col]')).toEqual(['', 'ms', 'durable', 'note']);
  expect(texts(document, 'tbody th[scope=row]')).toEqual(['ours', 'theirs']);
  expect(texts(document, 'tbody td')).toEqual(['1.5', 'true', '', '', '', 'none']);
});

test('says what was left out, what failed, and that the short form judges nothing', () => {
  const leftOut = [{ rows: 'the peer', why: 'there is no redis-server' }];
  const { document } = page([{ isShort: true, leftOut }], { failed: [{ name: 'large', how: 'exit code 1' }] });
  expect(texts(document, 'section li')).toEqual(['the peer: there is no redis-server']);
  expect(texts(document, 'header .falls-short')).toEqual(['large failed: exit code 1.']);
  expect(texts(document, 'header p').at(-2)).toContain('no limit is judged');
});
