/** Numbers and texts that fit a schema's bounds. */
import type { JsonObject } from '../../core/llm.ts';

/** As long as it must be, up to here. */
const CHARS_MOST = 10_000;

/** @see https://json-schema.org/draft/2020-12/json-schema-validation#section-7.3 */
const FORMATS: ReadonlyMap<string, string> = new Map([
  ['date-time', '2026-01-31T12:00:00Z'],
  ['date', '2026-01-31'],
  ['time', '12:00:00Z'],
  ['duration', 'PT1H'],
  ['email', 'someone@example.com'],
  ['idn-email', 'someone@example.com'],
  ['hostname', 'example.com'],
  ['idn-hostname', 'example.com'],
  ['ipv4', '192.0.2.1'],
  ['ipv6', '2001:db8::1'],
  ['uri', 'https://example.com/'],
  ['iri', 'https://example.com/'],
  ['uri-reference', '/path'],
  ['uuid', '00000000-0000-4000-8000-000000000001'],
  ['json-pointer', '/path'],
  ['regex', '^.*$'],
]);
/** What patterns mostly are about. */
const SAMPLES = [
  ...['simulated', 'Simulated', 'SIMULATED', 'simulated-answer', 'simulated_answer', 'simulated answer', 'en', 'en-US'],
  ...[
    'a',
    'A',
    'x',
    'X1',
    'A1',
    'AB',
    'ABC',
    'ABCD',
    'AB-123',
    'ABC-123',
    'ABC123',
    'USD',
    '1.0',
    '1.0.0',
    '1.50',
    '10%',
  ],
  ...['1', '12', '123', '1234', '12345', '123456', '1234567890', '#a1b2c3', '+15551234567', '555-123-4567', '12:00'],
  ...['https://example.com/', '/path', '0x1f', 'a1b2c3d4', ' ', '$1.00'],
];

/** Texts that fit the length and may fit a pattern, the likeliest first. */
export function textsFor(schema: JsonObject, variant: number): string[] {
  const format = typeof schema.format === 'string' ? FORMATS.get(schema.format) : undefined;
  const least = typeof schema.minLength === 'number' ? Math.min(schema.minLength, CHARS_MOST) : 0;
  const most = typeof schema.maxLength === 'number' ? schema.maxLength : Number.MAX_SAFE_INTEGER;
  const fitted = (text: string) => text.padEnd(least, text.at(-1) ?? 'x').slice(0, most);
  if (schema.pattern === undefined && format !== undefined) return [format];
  const first = variant === 0 ? 'simulated' : `simulated ${variant + 1}`;
  // Short texts that must differ differ in what is left of them.
  const plain = first.length > most ? String(variant + 1).slice(0, most) : first;
  return [fitted(plain), ...(schema.pattern === undefined ? [] : [...FORMATS.values(), ...SAMPLES].map(fitted))];
}

/** A number within the bounds, another one for each variant; some number where there is none. */
export function numberWithin(schema: JsonObject, isInteger: boolean, variant: number): number {
  const bound = (keyword: string) => (typeof schema[keyword] === 'number' ? schema[keyword] : undefined);
  const { multipleOf } = schema;
  const isWhole = typeof multipleOf !== 'number' || Number.isInteger(multipleOf);
  const step = typeof multipleOf === 'number' && (isWhole || !isInteger) ? multipleOf : 1;
  const [over, under] = [bound('exclusiveMinimum'), bound('exclusiveMaximum')];
  const least = Math.max(bound('minimum') ?? -Infinity, over ?? -Infinity);
  const most = Math.min(bound('maximum') ?? Infinity, under ?? Infinity);
  const isInside = (value: number) => value >= least && value <= most && value !== over && value !== under;
  const times = (count: number) => Number((count * step).toPrecision(15));
  const start = least === -Infinity ? Math.min(step, most) : Math.max(least, Math.min(step, most));
  const nearest = [Math.ceil(start / step) + variant, Math.ceil(start / step) + 1, Math.floor(start / step) - variant];
  const found = nearest.map(times).find(isInside);
  if (found !== undefined) return found;
  // Between 0 and 1 there is no whole step.
  const middle = (least + most) / 2;
  return multipleOf === undefined && !isInteger && isInside(middle) ? middle : times(Math.ceil(start / step));
}
