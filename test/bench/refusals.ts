/**
 * `npm run bench -- --only refusals`: what a principal who asks far too often costs the others, and what a refusal costs
 * beside a request that is served; with signed tokens of an OIDC issuer, on `npm start`'s service and on that of
 * `npm run start:emulators`. Alone (`node --expose-gc --import tsx test/bench/refusals.ts`) it asks `npm start`'s service,
 * with the word `emulators` the other one.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { type Bench, bench, rounded } from './support/bench.ts';
import { emulatorsHere } from './support/emulators-here.ts';
import { type Cost, startLimited } from './support/refusing.ts';
import { median, quantile } from './support/statistics.ts';

type Form = { name: string; program: string; perSecond: number; writes: number; served: number; refused: number };
type TokenOf = (user: string) => Promise<string>;

const EMBEDDED: Form = {
  ...{ name: 'npm start', program: 'infra/local.ts', perSecond: 1_000, writes: 1_200, served: 200, refused: 1_000 },
};
/** More than the local front door of the emulators can carry would only wait there. */
const EMULATED: Form = {
  ...{ name: 'emulators', program: 'infra/emulators.ts', perSecond: 200, writes: 600, served: 100, refused: 300 },
};
const OTHERS = 8;

await bench(
  {
    name: 'refusals',
    title: 'One who asks too often, and the others',
    about:
      'Eight users submit a job now and then and poll it, alone, and while another floods the service far beyond the limit on its rate; then a refused submit beside a served one with its job, one after the other. All tokens are signed; the service logs errors alone.',
  },
  async (bench) => {
    const { url, tokenOf } = await startIssuer();
    for (const form of formsOf(bench)) await measure(form, url, tokenOf, bench);
  },
);

function formsOf({ leaveOut }: Bench): Form[] {
  const isAlone = process.send === undefined;
  if (isAlone && !process.argv.includes('emulators')) return [EMBEDDED];
  const emulated = emulatorsHere(leaveOut, 'on the emulators') ? [EMULATED] : [];
  return isAlone ? emulated : [EMBEDDED, ...emulated];
}

/** Who signs the tokens of this run. */
async function startIssuer(): Promise<{ url: string; tokenOf: TokenOf }> {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' }] });
  const issuer = createServer((_, response) => response.end(keys)).listen(0, '127.0.0.1');
  await new Promise((resolve) => issuer.once('listening', resolve));
  const url = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
  const tokenOf = (user: string) =>
    new SignJWT({})
      .setProtectedHeader({ alg: 'RS256', kid: 'k' })
      .setIssuer(url)
      .setAudience('bench')
      .setSubject(user)
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey);
  return { url, tokenOf };
}

async function measure(form: Form, issuerUrl: string, tokenOf: TokenOf, bench: Bench): Promise<void> {
  const { name, program, perSecond } = form;
  const { sized, say, table, plot, verdict } = bench;
  const rounds = sized(5, 1);
  const roundMs = sized(4_000, 400);
  say(`starting ${name}`);
  // Used up in seconds by one who asks often, and not by the others.
  const limited = await startLimited(program, sized(form.writes, 60), issuerUrl);

  const others = await Promise.all(Array.from({ length: OTHERS }, (_, n) => tokenOf(`other-${n}`)));
  const flood = { token: await tokenOf('flooder'), perSecond };
  // Uses up what the bucket holds: refusals are what is measured.
  await limited.round(others, flood, roundMs);
  const quiet: number[] = [];
  const flooded: number[] = [];
  const answered = new Map<number, number>();
  const waits: number[] = [];
  for (let n = 0; n < rounds; n++) {
    say(`${name}: round ${n + 1} of ${rounds}`);
    const alone = await limited.round(others, undefined, roundMs);
    // The bucket has filled meanwhile.
    await limited.round([], flood, roundMs);
    const beside = await limited.round(others, flood, roundMs);
    quiet.push(...alone.took);
    flooded.push(...beside.took);
    waits.push(quantile(beside.took, 0.95) / quantile(alone.took, 0.95));
    for (const [status, count] of beside.statuses) answered.set(status, (answered.get(status) ?? 0) + count);
  }

  const served: Cost[] = [];
  const refused: Cost[] = [];
  const jobsMs = sized(1_000, 300);
  for (let n = 0; n < rounds; n++) {
    say(`${name}: costs ${n + 1} of ${rounds}`);
    await pause(2 * jobsMs);
    served.push(await limited.costOf(await tokenOf(`served-${n}`), 202, sized(form.served, 10), jobsMs));
    const spent = await tokenOf(`spent-${n}`);
    await limited.spend(spent);
    await pause(jobsMs);
    refused.push(await limited.costOf(spent, 429, sized(form.refused, 10), jobsMs));
  }
  await limited.stop();

  const waited = (took: readonly number[]) => ({
    'median ms': rounded(quantile(took, 0.5)),
    'p95 ms': rounded(quantile(took, 0.95)),
    requests: took.length,
  });
  const flooding = `beside ${perSecond} requests a second`;
  table(`${name}: what the others wait`, { alone: waited(quiet), [flooding]: waited(flooded) });
  const cost = (costs: readonly Cost[]) => ({
    'median ms': rounded(median(costs.map(({ tookMs }) => tookMs))),
    'CPU, ms': rounded(median(costs.map(({ cpuMs }) => cpuMs))),
  });
  table(`${name}: what one costs`, {
    'a served submit, with its job': cost(served),
    'a refused submit': cost(refused),
  });
  const ratiosOf = (of: (cost: Cost) => number) => refused.map((one, n) => of(one) / of(served[n] ?? one));
  const ratios: [what: string, ratios: number[], atMost: number][] = [
    ['p95 of the others, flooded : alone', waits, 1.5],
    ['CPU of a refusal : of a served submit and its job', ratiosOf(({ cpuMs }) => cpuMs), 0.1],
    ['time of a refusal : of a served submit', ratiosOf(({ tookMs }) => tookMs), 0.1],
  ];
  table(
    `${name}: the ratios`,
    Object.fromEntries(
      ratios.map(([what, found, allowed]) => [
        what,
        { ratio: rounded(median(found)), 'of each round': found.map(rounded).join(' '), allowed },
      ]),
    ),
  );
  table(
    `${name}: what the flood was answered`,
    Object.fromEntries([...answered].map(([status, count]) => [String(status), { times: count }])),
  );
  plot({
    title: `${name}: what the others wait`,
    kind: 'bars',
    x: { label: '' },
    y: { label: 'p95, ms' },
    points: [
      { x: 'alone', y: quantile(quiet, 0.95) },
      { x: flooding, y: quantile(flooded, 0.95) },
    ],
  });
  for (const [what, found, atMost] of ratios)
    verdict({ what: `${name}: ${what}`, value: median(found), unit: '×', atMost });
}
