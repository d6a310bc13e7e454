/** Runs pieces of work one after the other and says of each how long it took, how long it held the process, and the memory. */
export type Step = {
  step: string;
  ms: number;
  'CPU, ms': number;
  'longest block, ms': number;
  'memory, MB': number;
  note?: string;
};

/** Is told the step that begins. */
export type Say = (what: string) => void;

const MEGABYTE = 1024 * 1024;

const inUse = () => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** The table so far, and what adds a row to it; a step's answer is for the next one. */
export function stepTable(say: Say) {
  const steps: Step[] = [];
  return {
    steps,
    async run<T>(step: string, work: () => T | Promise<T>, note?: (result: T) => string): Promise<T> {
      say(step);
      globalThis.gc?.();
      const before = inUse();
      let most = before;
      let longest = 0;
      let isOver = false;
      let turnMs = performance.now();
      const turn = () => {
        const nowMs = performance.now();
        longest = Math.max(longest, nowMs - turnMs);
        turnMs = nowMs;
        most = Math.max(most, inUse());
        if (!isOver) setImmediate(turn);
      };
      setImmediate(turn);
      await new Promise((resolve) => setImmediate(resolve));
      const startedMs = performance.now();
      const cpu = process.cpuUsage();
      const result = await work();
      const ms = performance.now() - startedMs;
      const { user, system } = process.cpuUsage(cpu);
      most = Math.max(most, inUse());
      await new Promise((resolve) => setImmediate(resolve));
      isOver = true;
      steps.push({
        ...{ step, ms: Math.round(ms), 'CPU, ms': Math.round((user + system) / 1_000) },
        ...{ 'longest block, ms': Math.round(longest) },
        'memory, MB': Math.round((most - before) / MEGABYTE),
        ...(note ? { note: note(result) } : {}),
      });
      return result;
    },
  };
}
