/** The kinds of settings, and how each is read from its variable. */

export type Environment = Readonly<Record<string, string | undefined>>;

export type Setting<T> = {
  variable: string;
  /** One sentence, as in the README. */
  meaning: string;
  /** The default, as in the README. */
  shownDefault: string;
  /** Reads the raw text (absent or empty: `undefined`); throws a sentence that says what would be right. */
  read: (raw: string | undefined, environment: Environment) => T;
};

/** Said or not, nobody is asked who they are. */
export const hasNoDoors = ({ AUTH_MODE: said }: Environment) => listed(said).every((mode) => mode === 'none');

/** Does this process run on Cloud Run, as functions do? */
export const deployed = (environment: Environment) => (environment.K_SERVICE ?? '') !== '';

/** What Cloud Run calls this process: its service, and the revision of that. */
export type ServiceName = { service: string; version?: string | undefined };

/** Absent everywhere else. */
export function serviceIn({ K_SERVICE: service = '', K_REVISION: version }: Environment): ServiceName | undefined {
  return service === '' ? undefined : { service, version };
}

/** `true` or `false`, as it was said; throws a sentence for anything else. */
export function toFlag(raw: string | undefined): boolean | undefined {
  if (raw === undefined) return undefined;
  if (raw === 'true' || raw === 'false') return raw === 'true';
  throw new Error('must be true or false');
}

export function text(variable: string, meaning: string, byDefault: string): Setting<string> {
  return { variable, meaning, shownDefault: byDefault, read: (raw) => raw ?? byDefault };
}

export function optional(variable: string, meaning: string): Setting<string | undefined> {
  return { variable, meaning, shownDefault: '', read: (raw) => raw };
}

/** What is separated by commas. */
export function listed(raw: string | undefined): string[] {
  return (raw ?? '').split(',').flatMap((item) => item.trim() || []);
}

export function list(variable: string, meaning: string): Setting<string[]> {
  return { variable, meaning, shownDefault: '', read: listed };
}

/** `name=value`; throws a sentence for anything else. */
export function toPair(item: string): [string, string] {
  const [name, target] = item.split('=').map((part) => part.trim());
  if (name && target) return [name, target];
  throw new Error('must be pairs `name=value`, separated by commas');
}

/** An origin as browsers send it; throws a sentence for anything else, which would match nothing. */
export function toOrigin(item: string): string {
  if (URL.canParse(item) && new URL(item).origin === item) return item;
  throw new Error(`must hold origins like https://app.example.com, without a path or a slash at the end, not ${item}`);
}

export function whole(
  variable: string,
  meaning: string,
  byDefault: number,
  least: number,
  most: number,
): Setting<number> {
  const read = (raw: string | undefined) => {
    if (raw === undefined) return byDefault;
    const value = Number(raw);
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new Error(`must be a whole number from ${least} to ${most}`);
  };
  return { variable, meaning, shownDefault: String(byDefault), read };
}

export function choice<const T extends string>(
  variable: string,
  meaning: string,
  values: readonly T[],
  shownDefault: string,
  byDefault: (environment: Environment) => T | undefined,
): Setting<T> {
  const read = (raw: string | undefined, environment: Environment) => {
    const value = raw ?? byDefault(environment);
    const known = values.find((candidate) => candidate === value);
    if (known) return known;
    throw new Error(`${raw === undefined ? 'must be set here' : 'is unknown'}; known values: ${values.join(', ')}`);
  };
  return { variable, meaning, shownDefault, read };
}
