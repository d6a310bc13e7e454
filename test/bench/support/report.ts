/** The report: one page without scripts, that asks no other host for anything, of what the programs found. */
import { type Cell, type Part, passes, type Rows, rounded, type Table, type Verdict } from './bench.ts';
import { figuresOf } from './figures.ts';
import { REPORT_STYLE } from './report-style.ts';

export type About = {
  machine: string;
  at: Date;
  /** Programs that did not come to their end, and how each ended. */
  failed: readonly { name: string; how: string }[];
};

/** A whole HTML page. */
export function reportOf(parts: readonly Part[], { machine, at, failed }: About): string {
  const when = at.toISOString();
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>llm-jobs: measured</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<header>
<h1>llm-jobs, measured</h1>
<p>${escaped(machine)}<br><time datetime="${when}">${when.slice(0, 16).replace('T', ' ')} UTC</time></p>
<p>Times of two machines say nothing beside each other; ratios within one run do.</p>
${parts.some((part) => part.isShort) ? '<p><strong>The short form:</strong> it shows that the programs run, and no limit is judged.</p>' : ''}
${failed.map(({ name, how }) => `<p class="falls-short"><strong>${escaped(name)}</strong> failed: ${escaped(how)}.</p>`).join('\n')}
</header>
<main>
${verdictsOf(parts)}
<nav aria-label="Programs"><ul>
${parts.map((part) => `<li><a href="#${escaped(part.name)}">${escaped(part.title)}</a></li>`).join('\n')}
</ul></nav>
${parts.map(sectionOf).join('\n')}
</main>
</body>
</html>
`;
}

function verdictsOf(parts: readonly Part[]): string {
  const rows = parts.flatMap((part) => part.verdicts.map((verdict) => verdictRow(part, verdict)));
  if (rows.length === 0) return '';
  const kept = parts.flatMap((part) => part.verdicts).filter(passes).length;
  const heads = ['', 'Limit', 'Measured', 'Allowed', 'Program'].map((head) => `<th scope="col">${head}</th>`);
  return `<section>
<h2>Limits</h2>
<p>${kept} of ${rows.length} are kept.</p>
${scrolled('Limits', `<thead><tr>${heads.join('')}</tr></thead>\n<tbody>${rows.join('\n')}</tbody>`)}
</section>`;
}

function verdictRow(part: Part, verdict: Verdict): string {
  const { what, value, unit, atMost, atLeast } = verdict;
  const isKept = passes(verdict);
  const limits = [...(atLeast === undefined ? [] : [`≥ ${atLeast}`]), ...(atMost === undefined ? [] : [`≤ ${atMost}`])];
  const measured = Number.isNaN(value) ? 'not measured' : `${rounded(value)} ${unit}`;
  return `<tr><td class="${isKept ? 'passes' : 'falls-short'}">${isKept ? '✓ passes' : '✗ falls short'}</td>
<th scope="row">${escaped(what)}</th><td class="number">${escaped(measured)}</td>
<td class="number">${escaped(limits.join(', '))}</td><td><a href="#${escaped(part.name)}">${escaped(part.title)}</a></td></tr>`;
}

function sectionOf(part: Part): string {
  const { name, title, about, tookMs, plots, tables, leftOut } = part;
  const pictures = plots.map(
    (plot) => `<figure><figcaption>${escaped(plot.title)}</figcaption>${figuresOf(plot)}</figure>`,
  );
  const missing = leftOut.map(({ rows, why }) => `<li><strong>${escaped(rows)}</strong>: ${escaped(why)}</li>`);
  return `<section id="${escaped(name)}">
<h2>${escaped(title)}</h2>
<p>${escaped(about)}</p>
${pictures.join('\n')}
${tables.map(tableOf).join('\n')}
${missing.length > 0 ? `<h3>Left out</h3>\n<ul>${missing.join('\n')}</ul>` : ''}
<p class="note"><code>npm run bench -- --only ${escaped(name)}</code> took ${escaped(rounded(tookMs / 1_000))} s.</p>
</section>`;
}

function tableOf({ title, rows }: Table): string {
  const columns = columnsOf(rows);
  const heads = ['', ...columns].map((column) => `<th scope="col">${escaped(column)}</th>`).join('');
  const body = Object.entries(rows).map(([name, cells]) => {
    const shown = columns.map((column) => cellOf(cells[column])).join('');
    return `<tr><th scope="row">${escaped(name)}</th>${shown}</tr>`;
  });
  return `<h3>${escaped(title)}</h3>
${scrolled(title, `<thead><tr>${heads}</tr></thead>\n<tbody>${body.join('\n')}</tbody>`)}`;
}

/** All that any row has: not every row has every one. */
const columnsOf = (rows: Rows) => [...new Set(Object.values(rows).flatMap(Object.keys))];

const cellOf = (cell: Cell) => `<td${isNumeric(cell) ? ' class="number"' : ''}>${escaped(cell ?? '')}</td>`;

/** A number, or one with its spread or unit beside it. */
const isNumeric = (cell: Cell) => typeof cell === 'number' || /^[\d.]+( ?[^\s]{1,3})?( \(.*\))?$/.test(String(cell));

/** A table that is wider than its screen moves in a box of its own, by keys, too. */
function scrolled(title: string, content: string): string {
  return `<div class="scrolled" role="region" tabindex="0" aria-label="${escaped(title)}"><table>${content}</table></div>`;
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escaped(text: string | number | boolean): string {
  return String(text).replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
