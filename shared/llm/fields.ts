/** Building blocks of input schemas, with the words that their errors use. */
import { z } from 'zod';

/** An object with these fields and no others; an unknown field's error lists the known ones. */
export function fields<Shape extends z.ZodRawShape>(shape: Shape): z.ZodObject<Shape, z.core.$strict> {
  const known = Object.keys(shape).join(', ');
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? `is not a known field; known fields: ${known}` : undefined),
  });
}

/** Text that says something: not empty, not only blanks. */
export const text = z.string().refine((value) => value.trim() !== '', { error: 'must not be empty' });
