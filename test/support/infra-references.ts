/** A poor man's `terraform validate`, for machines without the provider: everything named is there, and is used. */
import type { Infra } from './infra-terraform.ts';

/** What is named and not declared, or declared and never named. */
export function references({ terraform }: Infra): string[] {
  const text = JSON.stringify(terraform);
  const named = (pattern: RegExp) => new Set([...text.matchAll(pattern)].map(([, name = '']) => name));
  const both = (kind: string, declared: string[], used: Set<string>) => [
    ...[...used].filter((name) => !declared.includes(name)).map((name) => `${kind} ${name} is not declared`),
    ...declared.filter((name) => !used.has(name)).map((name) => `${kind} ${name} is not used`),
  ];
  const kindsOf = (kinds: Infra['terraform']['resource']) =>
    Object.entries(kinds).flatMap(([type, blocks]) => Object.keys(blocks).map((name) => `${type}.${name}`));
  const [made, looked] = [kindsOf(terraform.resource), kindsOf(terraform.data)];
  const usedResources = named(/(?<!data\.|resource\.type=\\*")\b(google_[a-z0-9_]+\.[a-z0-9_]+)\b/g);
  return [
    ...both('variable', Object.keys(terraform.variable), named(/\bvar\.([a-z0-9_]+)/g)),
    ...both('local', Object.keys(terraform.locals), named(/\blocal\.([a-z0-9_]+)/g)),
    ...both('data', looked, named(/\bdata\.([a-z0-9_]+\.[a-z0-9_]+)/g)),
    ...[...usedResources].filter((name) => !made.includes(name)).map((name) => `resource ${name} is not declared`),
  ];
}
