/** D05: messages about nothing. */
import { expect } from 'vitest';
import { toFieldErrors } from '../../shared/core/field-errors.ts';
import { intakeHandler } from '../../shared/http/intake.ts';
import { doorbellHandler, encodeDoorbell } from '../../shared/http/push.ts';
import { publishedSubmissionSchema, toSubmission } from '../../shared/job-types/submission.ts';
import { ADA } from '../support/core-world.ts';
import { type Open, scenario } from './world.ts';

export function unreadableScenarios(open: Open): void {
  // DESIGN 9: 204 each; a record only for a submission that can't be understood.
  scenario(
    open,
    'D05 messages about nothing: acknowledged at once, and a submission that cannot be read is one failed job',
    async (world) => {
      const lines: string[] = [];
      const log = (_: string, event: string) => void lines.push(event);
      const handle = doorbellHandler({ run: world.main.run, log });
      const unknown = { tenant: 'default', id: crypto.randomUUID() };
      const text = (data: string) => ({ message: { data: Buffer.from(data).toString('base64'), messageId: 'm-1' } });
      const messages = [
        text('{"tenant":'),
        text('[]'),
        text('{"schema":2,"id":"x"}'),
        text('{"tenant":"a~b"}'),
        {},
        null,
      ];
      expect(await handle(encodeDoorbell(unknown, 'm-0', 1))).toBe(true);
      for (const message of messages) expect(await handle(message)).toBe(true);
      expect(lines).toEqual(messages.map(() => 'message-unreadable'));
      expect(await world.jobs()).toEqual([]);

      const parse = (content: unknown) => {
        const parsed = publishedSubmissionSchema.safeParse(content);
        return parsed.success
          ? { submission: toSubmission(parsed.data) }
          : { wrong: toFieldErrors(parsed.error.issues) };
      };
      const takeIn = intakeHandler({ service: world.main.service, run: world.main.run, parse, log }, ADA);
      for (let times = 0; times < 3; times++) expect(await takeIn(text('{"job_type":"magic"}'))).toBe(true);
      expect(await world.jobs()).toMatchObject([{ state: 'failed', error: { code: 'invalid_request' } }]);
      expect(world.provider.calls()).toEqual([]);
    },
  );
}
