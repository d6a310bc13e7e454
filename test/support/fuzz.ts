/** Requests that nobody means, from a seed: each can be made again from the seed and its number. */
import { chance as chanceOf } from '../simulation/random.ts';

export type FuzzRequest = {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
};

/** What a request may name. */
export type FuzzWorld = {
  /** `GET /api/llm/jobs/:job_id`, as they are mounted. */
  routes: readonly string[];
  ids: readonly string[];
  credentials: readonly Record<string, string>[];
};

const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND', 'get', 'QUERY'];
const WORDS = [
  ...[
    '',
    ' ',
    '0',
    '-1',
    '1.5',
    '1e309',
    '99999999999999999999',
    'NaN',
    'null',
    'true',
    '[]',
    '{}',
    '\\',
    '"',
    "'",
    '%',
  ],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', '__defineGetter__', 'length'],
  ...[
    "' OR 1=1 --",
    '"; DROP TABLE jobs; --',
    '../../etc/passwd',
    '..%2f..',
    '#{7*7}',
    '{{7*7}}',
    '<script>',
    '*',
    '~',
    'a~b',
  ],
  ...[
    'é',
    '😀',
    '‮',
    'ﷺ',
    '\u0000',
    '\u2028',
    'K',
    'ß',
    'İ',
    '2023-01-01',
    '2023-13-45T99:99:99Z',
    'pending',
    'x'.repeat(300),
  ],
] as const;
const PATHS = [
  ...[
    '/',
    '//',
    '/.',
    '/..',
    '/%2e%2e',
    '/%2e%2e/%2e%2e/',
    '/%00',
    '/%',
    '/%zz',
    '/%ff',
    '/api',
    '/api/',
    '/api//llm/jobs',
  ],
  ...[
    '/api/llm/jobs/../jobs',
    '/api/llm/jobs/%2e%2e/models',
    '/API/LLM/JOBS/',
    '/api/llm/jobs/;a=b',
    '/docs/../openapi.json',
  ],
  ...[
    '/docs/%2e%2e%2fpackage.json',
    '/docs/__proto__',
    '/docs/',
    '/openapi.json/',
    '/health/',
    '/healthz',
    '/.env',
    '/api/llm/jobs/batch/',
  ],
  ...[`/${'x'.repeat(4_000)}`, `/api/llm/jobs/${'a/'.repeat(500)}`, '/api/llm/jobs/%F0%9F%98%80/status', '/?/', '/#'],
];
const QUERIES = [
  ...[
    'limit',
    'offset',
    'cursor',
    'status',
    'job_type',
    'tag',
    'model',
    'ids',
    'question_id',
    'batch_id',
    'created_after',
  ],
  ...['created_before', 'starting_after', 'access_token', '__proto__', 'constructor', 'limit[]', 'a.b.c', ''],
];
const HEADERS = [
  ...[
    'Idempotency-Key',
    'If-None-Match',
    'Last-Event-ID',
    'X-Request-ID',
    'Origin',
    'X-Forwarded-For',
    'Cookie',
    'Accept',
  ],
  ...[
    'X-CSRFToken',
    'traceparent',
    'X-HTTP-Method-Override',
    'Content-Encoding',
    'Content-Type',
    'Range',
    'Host',
    'Expect',
  ],
  ...['Authorization', 'Forwarded', 'X-Forwarded-Host', 'Accept-Encoding', 'Content-Language', 'Upgrade'],
];
const TEXTS = [
  ...[
    '',
    '{',
    '[',
    '"',
    'null',
    'true',
    '0',
    '[]',
    '{}',
    '[[[[',
    '{"a":',
    '{"a":1,}',
    "{'a':1}",
    '\ufeff{}',
    'NaN',
    '-',
    '{}{}',
    '//',
  ],
  ...[
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '1e999',
    '{"job_type":1e999}',
    '\u0000',
  ],
  ...[
    '{"job_type":"a","job_type":"b"}',
    '['.repeat(5_000),
    '{"a":'.repeat(3_000),
    `"${'\\u0000'.repeat(2_000)}"`,
    '"\\ud800"',
  ],
];

/** The request of this number. */
export function fuzzRequest(seed: number, n: number, world: FuzzWorld): FuzzRequest {
  const { next: random, happens: chance, pick } = chanceOf(seed * 1_000_003 + n);
  const [method = 'GET', template = '/'] = pick(world.routes).split(' ');
  const sent = chance(0.85) ? method : pick(METHODS);
  const path = chance(0.12) ? pick(PATHS) : template.replaceAll(/:\w+/g, () => parameter(random, world, pick, chance));
  const headers: Record<string, string> = { ...pick(world.credentials) };
  for (let more = chance(0.4) ? 1 + Math.floor(random() * 3) : 0; more > 0; more--)
    headers[pick(HEADERS)] = headerValue(pick, chance);
  const request: FuzzRequest = { method: sent, path: `${path}${query(random, pick, chance)}`, headers };
  if (/^(GET|HEAD)$/i.test(sent) || chance(0.05)) return request;
  const body = bodyOf(random, pick, chance, world, template);
  if (chance(0.93)) headers['Content-Type'] = 'application/json';
  return { ...request, body };
}

/** One is endless for a backtracking engine, one no pattern, one beyond RE2. */
const PATTERNS = ['^(a+)+$', '[', '(?=a)b', '\\p{L}{1,1000}', 'a{1000}{1000}'];

type Random = () => number;
type Pick = <T>(from: readonly T[]) => T;
type Chance = (share: number) => boolean;

function parameter(random: Random, { ids }: FuzzWorld, pick: Pick, chance: Chance): string {
  if (chance(0.6)) return pick(ids);
  return chance(0.5) ? encodeURIComponent(pick(WORDS)) : `${pick(ids).slice(0, Math.floor(random() * 36))}%00`;
}

function query(random: Random, pick: Pick, chance: Chance): string {
  if (chance(0.55)) return '';
  const many = chance(0.02) ? 300 : 1 + Math.floor(random() * 4);
  const pairs = Array.from(
    { length: many },
    () => `${pick(QUERIES)}=${chance(0.9) ? encodeURIComponent(pick(WORDS)) : '%ff%'}`,
  );
  return `?${pairs.join('&')}`;
}

/** Only what a client library would let through; what it would not goes over raw sockets. */
function headerValue(pick: Pick, chance: Chance): string {
  const word = pick(WORDS)
    .replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '?')
    .trim();
  return chance(0.03) ? 'y'.repeat(9_000) : word;
}

/** What the contracts beside `/api/llm` take, by where they are. */
const OWN_BODIES: readonly [RegExp, (word: string) => Record<string, unknown>][] = [
  [/^\/jobs\b/, (prompt) => ({ prompt, provider: 'simulated', model: 'simulated' })],
  [/^\/llm\//, (text) => ({ text })],
  [/\/web-knowledge\//, (manual_prompt) => ({ manual_prompt })],
];

function bodyOf(
  random: Random,
  pick: Pick,
  chance: Chance,
  { ids }: FuzzWorld,
  path: string,
): string | Uint8Array<ArrayBuffer> {
  const own = OWN_BODIES.find(([where]) => where.test(path))?.[1];
  if (chance(0.12)) return pick(TEXTS);
  if (chance(0.04)) return Uint8Array.from({ length: Math.floor(random() * 200) }, () => Math.floor(random() * 256));
  if (chance(0.03)) return Uint8Array.from(Buffer.from(JSON.stringify(submission()), 'utf16le'));
  if (chance(0.01)) return JSON.stringify({ ...submission(), input_data: { prompt: 'x'.repeat(300_000) } });
  // Over the cap of any input, and of any body.
  if (chance(0.0005)) return JSON.stringify({ ...submission(), input_data: { prompt: 'x'.repeat(9_000_000) } });
  if (chance(0.0005)) return 'x'.repeat(11_000_000);
  const value = chance(0.25) ? { jobs: Array.from({ length: Math.floor(random() * 5) }, submission) } : submission();
  return JSON.stringify(chance(0.8) ? mutated(value, 0) : value);

  function submission(): Record<string, unknown> {
    if (own && chance(0.8)) return own(pick(WORDS));
    return {
      ...{ job_type: 'general_llm_request', model_id: 'simulated' },
      input_data: chance(0.6) ? { prompt: pick(WORDS) } : wholeInput(),
      ...(chance(0.2) ? { max_cost: random(), project_id: pick(WORDS) } : {}),
      ...(chance(0.3) ? { tags: [pick(WORDS)], metadata: { [pick(WORDS)]: pick(WORDS) } } : {}),
      ...(chance(0.2) ? { job_id: pick(ids), idempotency_key: pick(WORDS) } : {}),
      ...(chance(0.1) ? { webhook: { url: 'http://127.0.0.1:9/', events: ['job.failed'], include: 'job' } } : {}),
      ...(chance(0.2) ? { timeout: random() * 1e4, stream: chance(0.5), question_id: pick(WORDS) } : {}),
    };
  }

  /** All that a request may hold: most of it is wrong as soon as a part is changed. */
  function wholeInput(): Record<string, unknown> {
    const schema = {
      type: 'object',
      properties: { a: { type: 'string', pattern: pick(PATTERNS) }, b: { $ref: '#/$defs/c' } },
    };
    const call = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{}' } };
    const messages = [
      { role: 'system', content: pick(WORDS) },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'image_url', image_url: { url: 'https://a.example/b' } },
        ],
      },
      { role: 'assistant', content: null, tool_calls: [call] },
      { role: 'tool', tool_call_id: 'c1', content: pick(WORDS) },
    ];
    const spec = {
      provider: 'simulated',
      model: 'simulated',
      temperature: random(),
      reasoning: { effort: 'low' },
      max_tokens: 9,
    };
    return {
      llm: { messages, vector_store_id: 'vs', llm_model_spec: spec },
      ...{ max_num_results: 3, response_schema: { ...schema, $defs: { c: { enum: [1, 'x'] } } }, max_repairs: 1 },
      tools: [{ type: 'function', function: { name: 'f', parameters: { ...schema, $defs: { c: {} } } } }],
      ...{ tool_choice: 'auto', validation: pick(['strict', 'lenient']) },
    };
  }

  function mutated(given: unknown, depth: number): unknown {
    if (chance(0.12)) return anything(depth);
    if (Array.isArray(given)) return given.map((one) => mutated(one, depth + 1));
    if (typeof given !== 'object' || given === null) return given;
    const entries = Object.entries(given).filter(() => !chance(0.04));
    if (chance(0.15)) entries.push([pick(WORDS), anything(depth)]);
    return Object.fromEntries(entries.map(([name, one]) => [name, mutated(one, depth + 1)]));
  }

  function anything(depth: number): unknown {
    const kind = Math.floor(random() * (depth > 4 ? 6 : 9));
    if (kind < 2) return pick(WORDS);
    if (kind < 4) return pick([0, -0, -1, 1e308, 2 ** 53, 0.1, -1e-7]);
    if (kind < 6) return pick([null, true, false]);
    if (kind === 6) return Array.from({ length: Math.floor(random() * 4) }, () => anything(depth + 1));
    if (kind === 7) return Object.fromEntries([[pick(WORDS), anything(depth + 1)]]);
    let deep: unknown = 1;
    for (let level = 0; level < random() * 120; level++) deep = chance(0.5) ? [deep] : { a: deep };
    return deep;
  }
}

const HEAD = 'Host: localhost\r\n';

/** What goes over a raw socket, in parts; `slow`: the last part never comes. */
export function rawConversations(job: string, credentials: string): { name: string; parts: string[] }[] {
  const post = (more: string, body: string) =>
    `POST /api/llm/jobs/submit/ HTTP/1.1\r\n${HEAD}${credentials}Content-Type: application/json\r\n${more}\r\n${body}`;
  const get = (path: string, more = '') => `GET ${path} HTTP/1.1\r\n${HEAD}${credentials}${more}\r\n`;
  const status = `/api/llm/jobs/${job}/status/`;
  return [
    { name: 'a body that is cut', parts: [post('Content-Length: 100\r\n', '{"job_type"')] },
    {
      name: 'a body that comes in letters, and is cut',
      parts: [post('Content-Length: 100\r\n', ''), '{', '"', 'a', '"', ':'],
    },
    { name: 'chunks that are none', parts: [post('Transfer-Encoding: chunked\r\n', 'zz\r\n{}\r\n0\r\n\r\n')] },
    { name: 'chunks that are cut', parts: [post('Transfer-Encoding: chunked\r\n', '5\r\n{"a"')] },
    { name: 'a chunk of gigabytes', parts: [post('Transfer-Encoding: chunked\r\n', 'ffffffffff\r\n{}')] },
    { name: 'two lengths', parts: [post('Content-Length: 2\r\nContent-Length: 3\r\n', '{}')] },
    { name: 'a length and chunks', parts: [post('Content-Length: 2\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')] },
    { name: 'a length below zero', parts: [post('Content-Length: -1\r\n', '{}')] },
    { name: 'a length that is no number', parts: [post('Content-Length: abc\r\n', '{}')] },
    { name: 'a length of petabytes', parts: [post('Content-Length: 9007199254740993\r\n', '{}')] },
    { name: 'twenty requests in one', parts: [get(status).repeat(20)] },
    { name: 'a request behind a refused body', parts: [post('Content-Length: 3\r\n', '{"}') + get(status)] },
    { name: 'headers of 20 KB', parts: [get(status, `X-Long: ${'x'.repeat(20_000)}\r\n`)] },
    { name: 'a path of 20 KB', parts: [get(`/${'x'.repeat(20_000)}`)] },
    { name: 'three thousand headers', parts: [get(status, 'A: b\r\n'.repeat(3_000))] },
    { name: 'a header that is split', parts: [get(status, 'X-Request-ID: a\r\nSet-Cookie: evil=1\r\n')] },
    { name: 'a header with a line feed alone', parts: [get(status, 'X-Request-ID: a\nInjected: b\r\n')] },
    { name: 'a header that goes on in the next line', parts: [get(status, 'X-Request-ID: a\r\n b\r\n')] },
    { name: 'a header with a NUL', parts: [get(status, 'X-Request-ID: a\u0000b\r\n')] },
    { name: 'a header without a name', parts: [get(status, ': b\r\n')] },
    { name: 'two tokens', parts: [get(status, 'Authorization: Bearer x\r\n')] },
    { name: 'a URL for a path', parts: [get(`http://evil.example${status}`)] },
    { name: 'no host', parts: [`GET ${status} HTTP/1.1\r\n\r\n`] },
    { name: 'an odd host', parts: [`GET ${status} HTTP/1.1\r\nHost: a b"<>\r\n\r\n`] },
    { name: 'HTTP/0.9', parts: [`GET ${status}\r\n`] },
    { name: 'HTTP/9.9', parts: [`GET ${status} HTTP/9.9\r\n${HEAD}\r\n`] },
    { name: 'CONNECT', parts: [`CONNECT evil.example:443 HTTP/1.1\r\n${HEAD}\r\n`] },
    { name: 'TRACE', parts: [`TRACE / HTTP/1.1\r\n${HEAD}${credentials}\r\n`] },
    { name: 'an upgrade', parts: [get(status, 'Connection: Upgrade\r\nUpgrade: websocket\r\n')] },
    { name: 'an expectation', parts: [post('Expect: 100-continue\r\nContent-Length: 2\r\n', ''), '{}'] },
    {
      name: 'path tricks',
      parts: ['/%2e%2e/%2e%2e/etc', '/..%2f', '/%00', '/%', '//evil.example', '/\\..\\', '*'].map((path) => get(path)),
    },
    { name: 'no HTTP', parts: ['\u0016\u0003\u0001\u0002\u0000\u0001', 'EHLO evil\r\n'] },
    { name: 'a GET with a body', parts: [`${get(status, 'Content-Length: 5\r\n')}hello`] },
    {
      name: 'HEAD with a body',
      parts: [`HEAD ${status} HTTP/1.1\r\n${HEAD}${credentials}Content-Length: 5\r\n\r\nhello`],
    },
  ];
}
