// Adds up vitest's JSON reports. What failed is named once more, at the end, where one looks first. The last line is
// `N passed, N failed, N skipped`; a skipped test is a failure here.
import { readFileSync } from 'node:fs';

const total = { passed: 0, failed: 0, skipped: 0 };
let broken = 0;
for (const file of process.argv.slice(2)) {
  let report;
  try {
    report = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    console.error(`no report in ${file}: ${error.message}`);
    broken += 1;
    continue;
  }
  total.passed += report.numPassedTests;
  total.failed += report.numFailedTests;
  total.skipped += report.numPendingTests + report.numTodoTests;
  if (!report.success) broken += 1;
  for (const { name, assertionResults, message } of report.testResults) {
    const failed = assertionResults.filter(({ status }) => status === 'failed');
    for (const test of failed)
      console.log(`FAILED ${name} > ${test.fullName}\n  ${firstLine(test.failureMessages[0])}`);
    if (failed.length === 0 && message) console.log(`FAILED ${name}\n  ${firstLine(message)}`);
  }
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(broken + total.failed + total.skipped > 0 || total.passed === 0 ? 1 : 0);

function firstLine(text = '') {
  return text.split('\n', 1)[0].slice(0, 300);
}
