/** Pictures of points, as SVG: drawn by Observable Plot on a document that no browser has. */
import * as ObservablePlot from '@observablehq/plot';
import { parseHTML } from 'linkedom';
import { type Plot, rounded } from './bench.ts';

/** One for pages and paper, one for phones: a picture that is made smaller has letters that nobody can read. */
const WIDTHS = { wide: 680, narrow: 330 };
const SERIES_COLORS = 6;
const BAR_HEIGHT = 22;
const LETTER_WIDTH = 6.6;
const LINE_HEIGHT = 250;

/** Pictures of a plot for wide and narrow screens, each with what it says in words; without points, a sentence. */
export function figuresOf(plot: Plot): string {
  const drawn = { ...plot, points: plot.points.filter((point) => canBeDrawn(plot, point)) };
  const missing = plot.points.length - drawn.points.length;
  const note = missing > 0 ? `<p class="note">${missing} of ${plot.points.length} values cannot be drawn.</p>` : '';
  if (drawn.points.length === 0) return note || '<p class="note">Nothing was measured that could be drawn.</p>';
  const widths = Object.entries(WIDTHS);
  return widths.map(([name, width]) => `<div class="${name}">${svgOf(drawn, width)}</div>`).join('') + note;
}

/** Zero has no place on a logarithmic axis, and what is no number has none on any. */
function canBeDrawn({ kind, x, y }: Plot, point: Plot['points'][number]): boolean {
  const fits = (value: number | string, isLogarithmic = false) =>
    typeof value === 'string' || (Number.isFinite(value) && (!isLogarithmic || value > 0));
  return fits(point.y, y.isLogarithmic) && (kind === 'bars' || fits(point.x, x.isLogarithmic));
}

function svgOf(plot: Plot, width: number): string {
  const { document } = parseHTML('<!doctype html><html><body></body></html>');
  const drawing = plot.kind === 'bars' ? barsOf(plot, width) : pointsOf(plot);
  const hasLegend = seriesOf(plot).length > 1;
  const drawn = ObservablePlot.plot({
    document,
    width,
    ...drawing,
    ariaLabel: inWords(plot),
    color: {
      type: 'ordinal',
      domain: seriesOf(plot),
      range: seriesOf(plot).map((_, n) => `var(--series-${n % SERIES_COLORS})`),
      legend: hasLegend && plot.kind === 'bars',
    },
    ...(plot.kind === 'bars' ? {} : { symbol: { domain: seriesOf(plot), legend: hasLegend } }),
    style: { background: 'transparent', fontSize: '12px', color: 'currentColor' },
  });
  for (const svg of drawn.querySelectorAll('svg')) svg.setAttribute('aria-hidden', 'true');
  const picture = drawn.tagName.toLowerCase() === 'svg' ? drawn : drawn.querySelector(':scope > svg');
  picture?.removeAttribute('aria-hidden');
  picture?.setAttribute('role', 'img');
  return drawn === picture ? drawn.outerHTML : drawn.innerHTML;
}

const seriesOf = ({ points }: Plot) => [...new Set(points.map(({ series = '' }) => series))];

/** Lines and dots: the shape tells series apart, too, for who does not see colours as others do. */
function pointsOf({ kind, x, y, points }: Plot): ObservablePlot.PlotOptions {
  const given = points.map((point) => ({ ...point, series: point.series ?? '' }));
  const xs = [...new Set(given.map((point) => point.x))];
  const at = { x: 'x', y: 'y', stroke: 'series' };
  return {
    height: LINE_HEIGHT,
    marginLeft: 56,
    marginBottom: 40,
    x: xs.some((x) => typeof x === 'string')
      ? { label: x.label, type: 'point', domain: xs }
      : axisOf(x, xs as number[]),
    y: {
      ...axisOf(
        y,
        given.map((point) => point.y),
      ),
      grid: true,
      ...(y.isLogarithmic ? {} : { zero: true }),
    },
    marks: [
      ...(kind === 'lines' ? [ObservablePlot.lineY(given, { ...at, strokeWidth: 2 })] : []),
      ObservablePlot.dot(given, { ...at, symbol: 'series', r: 4 }),
    ],
  };
}

/** Bars lie, so that there is room for their names; those of one name with several series lie together. */
function barsOf({ x, y, points }: Plot, width: number): ObservablePlot.PlotOptions {
  const given = points.map((point) => ({ ...point, x: String(point.x), series: point.series ?? '' }));
  const names = [...new Set(given.map((point) => point.x))];
  const series = new Set(given.map((point) => point.series));
  const values = given.map((point) => point.y);
  // On a logarithmic axis a bar begins at the power of ten below the least.
  const first = y.isLogarithmic ? 10 ** (Math.ceil(Math.log10(Math.min(...values))) - 1) : 0;
  const shown = y.isLogarithmic ? [first, ...values] : values;
  const letters = Math.floor((width * 0.45) / LETTER_WIDTH);
  const shortened = (name: string) => (name.length > letters ? `${name.slice(0, letters - 1)}…` : name);
  const longest = Math.max(...names.map((name) => shortened(name).length));
  const name = series.size > 1 ? { fy: 'x', y: 'series' } : { y: 'x' };
  const axis = { domain: names, label: null, tickFormat: shortened, tickSize: 0 };
  return {
    height: 60 + names.length * (series.size * BAR_HEIGHT + (series.size > 1 ? 8 : 0)),
    marginTop: 8,
    marginLeft: 14 + longest * LETTER_WIDTH,
    // For the value beside the longest bar.
    marginRight: 48,
    marginBottom: 40,
    x: { ...(width > WIDTHS.narrow ? {} : { ticks: 2 }), ...axisOf(y, shown), grid: true },
    ...(series.size > 1
      ? { fy: { ...axis, axis: 'left' }, y: { domain: [...series], axis: null } }
      : { y: { ...axis, label: x.label === '' ? null : x.label } }),
    marks: [
      ObservablePlot.barX(given, { x1: first, x2: 'y', ...name, fill: 'series' }),
      ObservablePlot.text(given, { x: 'y', ...name, text: ({ y }) => String(rounded(y)), textAnchor: 'start', dx: 4 }),
    ],
  };
}

function axisOf({ label, isLogarithmic }: Plot['x'], values: readonly number[]): ObservablePlot.ScaleOptions {
  if (!isLogarithmic) return { label, labelArrow: 'none', nice: true };
  return { label, labelArrow: 'none', type: 'log', ticks: ticksOf(values), tickFormat: String };
}

/** Powers of ten, and, where there are few, what lies between them: a number at every line could not be read. */
function ticksOf(values: readonly number[]): number[] {
  const first = Math.floor(Math.log10(Math.min(...values)));
  const last = Math.ceil(Math.log10(Math.max(...values)));
  const between = last - first > 2 ? [1] : [1, 2, 5];
  const powers = Array.from({ length: last - first + 1 }, (_, n) => first + n);
  const ticks = powers.flatMap((power) => between.map((factor) => Number((factor * 10 ** power).toPrecision(1))));
  return ticks.filter((tick) => tick >= Math.min(...values) && tick <= Math.max(...values));
}

/** What the picture shows, for who does not see it: each series with its least and its most. */
export function inWords(plot: Plot): string {
  const { title, x, y, points } = plot;
  const ranges = seriesOf(plot).map((series) => {
    const values = points.filter((point) => (point.series ?? '') === series).map((point) => point.y);
    const range = `${rounded(Math.min(...values))} to ${rounded(Math.max(...values))}`;
    return series === '' ? range : `${series}: ${range}`;
  });
  return `${title}. ${y.label} by ${x.label || 'name'}; ${ranges.join('; ')}.`;
}
