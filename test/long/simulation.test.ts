/** X01 at length, on virtual time, where little fails. */
import { test } from 'vitest';
import { thousandSeeds } from './seeds.ts';

test('X01 a thousand seeds with 1 % of all calls failing', () => thousandSeeds(0.01));
