/**
 * What the console takes of React's renderer, which is most of its script: all but what no page of ours can reach. What is
 * left out throws where somebody does reach it, so that a test in a browser finds it.
 */
import type { Plugin } from 'vite';

/** Reached by `hydrateRoot` alone: our page comes empty. */
const HYDRATION = [
  ...['attemptExplicitHydrationTarget', 'canHydrateInstance', 'canHydrateTextInstance', 'clearHydrationBoundary'],
  ...['prepareToHydrateHostInstance', 'throwOnHydrationMismatch', 'updateDehydratedSuspenseComponent'],
];
/** Reached by `preload` and the like, and by components that draw `<link>`, `<style>`, `<script>`, `<title>` or `<meta>`. */
const RESOURCES = [
  ...['acquireResource', 'adoptPreloadPropsForStylesheet', 'getHydratableHoistableCache', 'getResource'],
  ...['insertStylesheetIntoRoot', 'insertSuspendedStylesheets', 'preinitModuleScript', 'preinitScript', 'preinitStyle'],
  ...['preload', 'preloadModule', 'preloadStylesheet', 'suspendResource'],
];
/** Statements: an entrance to the first of these, and what a `ref` of a fragment can do. */
const STATEMENTS = /^(exports\.hydrateRoot|FragmentInstance\.prototype\.\w+) = /;

const LEFT_OUT = 'function leftOut() { throw Error("Left out of React (infra/console-react.ts)"); }';

/** Leaves them out; throws where React has no such function any more. */
export const leanReact: Plugin = {
  name: 'lean-react',
  enforce: 'pre',
  transform: {
    filter: { id: /\/react-dom-client\.production\.js$/ },
    handler(code) {
      const missing = new Set([...HYDRATION, ...RESOURCES]);
      const parts: string[] = [];
      let kept = 0;
      const replace = (start: number, end: number, text: string) => {
        parts.push(code.slice(kept, start), text);
        kept = end;
      };
      for (const node of this.parse(code).body) {
        if (node.type === 'FunctionDeclaration' && node.id && node.body && missing.delete(node.id.name)) {
          replace(node.body.start, node.body.end, '{ leftOut(); }');
        } else if (node.type === 'ExpressionStatement' && STATEMENTS.test(code.slice(node.start, node.end))) {
          replace(node.start, node.end, '');
        }
      }
      if (missing.size > 0) throw new Error(`React has changed: it has no ${[...missing].join(', ')}.`);
      return { code: [...parts, code.slice(kept), LEFT_OUT].join('\n') };
    },
  },
};
