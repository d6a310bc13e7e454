/** What axe-core has against a page, by the rules of WCAG 2.2 A and AA and its own best practices. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** A line for each violation: the rule, and where. */
export async function violationsOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate<axe.AxeResults>('axe.run()');
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target}: ${failureSummary}`),
  );
}
