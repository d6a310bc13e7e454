/** X01 at length, on virtual time, where much fails. */
import { test } from 'vitest';
import { thousandSeeds } from './seeds.ts';

test('X01 a thousand seeds with 5 % of all calls failing', () => thousandSeeds(0.05));
