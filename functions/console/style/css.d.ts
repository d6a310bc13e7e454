/** Vite takes styles for what they are. */
declare module '*.css';
