/**
 * `npm run bench:refusals`: what a principal who asks far too often costs the others, and what a refusal costs beside a
 * request that is served. On `npm start`'s service, with `-- emulators` on that of `npm run start:emulators`; with signed
 * tokens of an OIDC issuer.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { Agent, createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { freePort, stopGroup } from '../../infra/child-processes.ts';
import { request } from '../support/http-client.ts';
import { startLocalProcess } from '../support/local-process.ts';

const onEmulators = process.argv.includes('emulators');
const ROUNDS = 5;
const ROUND_MS = 4_000;
/** More than the local front door of the emulators can carry would only wait there. */
const FLOOD_PER_SECOND = onEmulators ? 200 : 1_000;
const OTHERS = 8;
const OTHERS_EVERY_MS = 100;
const SERVED = onEmulators ? 100 : 200;
const REFUSED = onEmulators ? 300 : 1_000;

const { publicKey, privateKey } = await generateKeyPair('RS256');
const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'RS256', use: 'sig' }] });
const issuer = createServer((_, response) => response.end(keys)).listen(0, '127.0.0.1');
await new Promise((resolve) => issuer.once('listening', resolve));
const issuerUrl = `http://127.0.0.1:${(issuer.address() as AddressInfo).port}`;
const tokenOf = (user: string) =>
  new SignJWT({})
    .setProtectedHeader({ alg: 'RS256', kid: 'k' })
    .setIssuer(issuerUrl)
    .setAudience('bench')
    .setSubject(user)
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(privateKey);

const folder = mkdtempSync(join(tmpdir(), 'llm-jobs-bench-'));
const local = await startLocalProcess(
  {
    ...{
      PORT: String(await freePort()),
      DATABASE_URL: join(folder, 'jobs.db'),
      SIMULATED_MS: '200',
      LOG_LEVEL: 'error',
    },
    ...{ AUTH_MODE: 'oidc', OIDC_ISSUER: issuerUrl, OIDC_AUDIENCE: 'bench', OIDC_JWKS_URL: issuerUrl },
    // Used up in seconds by one who asks often, and not by the others.
    RATE_LIMITS: `writes=${onEmulators ? 600 : 1_200}`,
  },
  onEmulators ? 'infra/emulators.ts' : 'infra/local.ts',
);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });

type Answer = { status: number; tookMs: number; jobId: string | undefined };

/** One request over a kept connection; the client itself costs as little as it can. */
function call(method: string, path: string, token: string, body?: object): Promise<Answer> {
  const startedMs = performance.now();
  return new Promise((resolve) => {
    const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
    const sent = httpRequest(`${local.baseUrl}${path}`, { method, agent, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        const jobId = /"job_id":"([^"]+)"/.exec(text)?.[1];
        resolve({ status: response.statusCode ?? 0, tookMs: performance.now() - startedMs, jobId });
      });
    });
    // A connection that was cut is an answer, too: that of nobody.
    sent
      .on('error', () => resolve({ status: 0, tookMs: performance.now() - startedMs, jobId: undefined }))
      .end(body && JSON.stringify(body));
  });
}
const submit = (token: string) => call('POST', '/api/llm/jobs/submit/', token, request('simulated', 'Say hello.'));
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** The others submit a job now and then and poll it, while somebody floods, or nobody. */
async function round(tokens: readonly string[], flood: string | undefined) {
  const took: number[] = [];
  const statuses = new Map<number, number>();
  const untilMs = performance.now() + ROUND_MS;
  const other = async (token: string) => {
    while (performance.now() < untilMs) {
      const submitted = await submit(token);
      const polled = await call('GET', `/api/llm/jobs/${submitted.jobId}/status/`, token);
      for (const { status, tookMs } of [submitted, polled]) {
        if (status === 0 || status >= 400) throw new Error(`one of the others was answered ${status}`);
        took.push(tookMs);
      }
      await pause(OTHERS_EVERY_MS * (0.5 + Math.random()));
    }
  };
  const flooding = async (token: string) => {
    const startedMs = performance.now();
    const open: Promise<void>[] = [];
    let sent = 0;
    while (performance.now() < untilMs) {
      for (const due = ((performance.now() - startedMs) / 1_000) * FLOOD_PER_SECOND; sent < due; sent++) {
        open.push(submit(token).then(({ status }) => void statuses.set(status, (statuses.get(status) ?? 0) + 1)));
      }
      await pause(1);
    }
    await Promise.all(open);
  };
  await Promise.all([...tokens.map(other), ...(flood ? [flooding(flood)] : [])]);
  return { took, statuses };
}

const at = (values: readonly number[], share: number) =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length * share)] ?? Number.NaN;
const rounded = (value: number) => Math.round(value * 100) / 100;

const others = await Promise.all(Array.from({ length: OTHERS }, (_, n) => tokenOf(`other-${n}`)));
const flooder = await tokenOf('flooder');
// Uses up what the bucket holds: refusals are what is measured.
await round(others, flooder);
const idle: number[] = [];
const flooded: number[] = [];
const answered = new Map<number, number>();
const ratios: number[] = [];
for (let n = 0; n < ROUNDS; n++) {
  process.stderr.write(`\rround ${n + 1} of ${ROUNDS} `);
  const quiet = await round(others, undefined);
  // The bucket has filled meanwhile.
  await round([], flooder);
  const loud = await round(others, flooder);
  idle.push(...quiet.took);
  flooded.push(...loud.took);
  ratios.push(at(loud.took, 0.95) / at(quiet.took, 0.95));
  for (const [status, count] of loud.statuses) answered.set(status, (answered.get(status) ?? 0) + count);
}

const TICK_MS = 10;

/** What our processes, not the emulators, have used of the processors so far, by Linux's count. */
function cpuMs(): number {
  const ours = readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const [, name, rest = ''] = /\((.*)\) (.*)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
        return [{ name, fields: rest.split(' ').map(Number) }];
      } catch {
        return [];
      }
    })
    .filter(({ name, fields }) => fields[2] === local.child.pid && name !== 'java');
  return ours.reduce((sum, { fields: [...fields] }) => sum + ((fields[11] ?? 0) + (fields[12] ?? 0)) * TICK_MS, 0);
}

type Cost = { tookMs: number; cpuMs: number };

/** One after the other, so that a time is a cost; of those that are served, with the job that follows. */
async function costOf(token: string, expected: number, count: number): Promise<Cost> {
  const took: number[] = [];
  const startedCpuMs = cpuMs();
  let sent = 0;
  // The bucket of who is refused fills a little meanwhile.
  for (; took.length < count && sent < 10 * count; sent++) {
    const { status, tookMs } = await submit(token);
    if (status === expected) took.push(tookMs);
  }
  if (took.length < count) throw new Error(`only ${took.length} were answered ${expected}`);
  await pause(1_000);
  // Where many were answered otherwise, the time of the processors is not that of these.
  const isClean = sent < 1.2 * count;
  return { tookMs: at(took, 0.5), cpuMs: isClean ? (cpuMs() - startedCpuMs) / sent : Number.NaN };
}
const served: Cost[] = [];
const refused: Cost[] = [];
for (let n = 0; n < ROUNDS; n++) {
  process.stderr.write(`\rcosts ${n + 1} of ${ROUNDS} `);
  await pause(2_000);
  served.push(await costOf(await tokenOf(`served-${n}`), 202, SERVED));
  // One who may no more.
  const spent = await tokenOf(`spent-${n}`);
  // Many at once: the bucket of one who asks slowly never gets empty.
  const spend = () => Promise.all(Array.from({ length: 32 }, () => submit(spent)));
  while ((await spend()).every(({ status }) => status === 202));
  await pause(1_000);
  refused.push(await costOf(spent, 429, REFUSED));
}

await stopGroup(local.child);
issuer.close();
agent.destroy();
rmSync(folder, { recursive: true });
process.stderr.write('\r');
const row = (took: number[]) => ({
  'median ms': rounded(at(took, 0.5)),
  'p95 ms': rounded(at(took, 0.95)),
  requests: took.length,
});
console.table({
  'the others, alone': row(idle),
  [`the others, beside ${FLOOD_PER_SECOND} requests a second`]: row(flooded),
});
const costRow = (of: (cost: Cost) => number) => {
  const ratios = refused.map((cost, n) => of(cost) / of(served[n] ?? cost));
  return { ratio: rounded(at(ratios, 0.5)), 'of each round': ratios.map(rounded).join(' '), allowed: 0.1 };
};
console.table({
  'p95 of the others, flooded : alone': {
    ratio: rounded(at(ratios, 0.5)),
    'of each round': ratios.map(rounded).join(' '),
    allowed: 1.5,
  },
  'processor time of a refusal : of a served submit and its job': costRow((cost) => cost.cpuMs),
  'time of a refusal : of a served submit': costRow((cost) => cost.tookMs),
});
const median = (costs: readonly Cost[], of: (cost: Cost) => number) => at(costs.map(of), 0.5);
console.log(
  `A served submit: ${rounded(median(served, (cost) => cost.tookMs))} ms, ${rounded(median(served, (cost) => cost.cpuMs))} ms of processor time with its job; a refusal: ${rounded(median(refused, (cost) => cost.tookMs))} ms, ${rounded(median(refused, (cost) => cost.cpuMs))} ms.`,
);
console.log(`The flood was answered ${[...answered].map(([status, count]) => `${status}: ${count}`).join(', ')}.`);
process.exit(0);
