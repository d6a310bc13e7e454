/** All rules of the infrastructure, as one. */
import * as order from './infra-order.ts';
import * as platform from './infra-platform.ts';
import { references } from './infra-references.ts';
import * as rules from './infra-rules.ts';
import type { Infra } from './infra-terraform.ts';

const RULES = [...Object.values(rules), ...Object.values(order), ...Object.values(platform), references];

/** What is wrong, a line each. */
export const everyRule = (infra: Infra): string[] => RULES.flatMap((rule) => rule(infra));
