/** How the report looks: light and dark as the reader's system is, on phones, and on paper. */
export const REPORT_STYLE = `
:root {
  color-scheme: light dark;
  --back: #fff; --text: #1b1f24; --quiet: #57606a; --line: #d5dae0; --stripe: #f5f7f9; --link: #0a5bc4;
  --good: #116329; --bad: #b3261e;
  --series-0: #2f6fdb; --series-1: #c2570c; --series-2: #1a7f5a; --series-3: #9333b8; --series-4: #8a6d00; --series-5: #c2255c;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --back: #14171b; --text: #e6e9ec; --quiet: #9aa4af; --line: #343b43; --stripe: #1c2127; --link: #7db3ff;
    --good: #5fd38a; --bad: #ff8f85;
    --series-0: #79aaff; --series-1: #ff9f58; --series-2: #4fd1a0; --series-3: #d490f5; --series-4: #e0c04a; --series-5: #ff84ad;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 60rem;
  background: var(--back); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word;
}
h1 { font-size: 1.7rem; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3, figcaption { font-size: 1rem; font-weight: 600; margin: 1.5rem 0 .5rem; }
p { margin: .5rem 0; max-width: 44rem; }
a { color: var(--link); }
code { font: .875em ui-monospace, monospace; }
.note, header p:first-of-type { color: var(--quiet); }
nav ul { columns: 18rem; padding-left: 1.2rem; }
figure { margin: 1.5rem 0; }
figure div div { font-size: .875rem !important; }
figure svg { max-width: 100%; height: auto; overflow: visible; }
.narrow { display: none; }
.scrolled { overflow-x: auto; }
.scrolled:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
table { border-collapse: collapse; font-size: .875rem; }
th, td { padding: .3rem .75rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; min-width: 9rem; max-width: 24rem; }
tbody tr:nth-child(even) { background: var(--stripe); }
td a { white-space: nowrap; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.passes { color: var(--good); white-space: nowrap; }
.falls-short { color: var(--bad); font-weight: 600; white-space: nowrap; }
p.falls-short { white-space: normal; }
@media (max-width: 44rem) {
  .wide { display: none; }
  .narrow { display: block; }
}
@media print {
  :root { color-scheme: light; --back: #fff; --text: #000; --quiet: #444; --line: #bbb; --stripe: #f4f4f4; --link: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  .wide { display: block; }
  .narrow { display: none; }
  figure, tr { break-inside: avoid; }
  h2, h3, figcaption { break-after: avoid; }
  .scrolled { overflow: visible; }
  td, th { white-space: normal !important; }
}
`;
