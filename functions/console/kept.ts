/** What is kept in this tab over a reload: what somebody typed, whom they broke. */

/** What was kept under a name; `undefined` where there is nothing, or where the browser keeps nothing. */
export function readKept(name: string): unknown {
  try {
    return JSON.parse(sessionStorage.getItem(`llm-jobs.${name}`) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

export function keep(name: string, value: unknown): void {
  try {
    sessionStorage.setItem(`llm-jobs.${name}`, JSON.stringify(value));
  } catch {
    // It is larger than what a tab may keep: then it lives as long as the page.
  }
}
