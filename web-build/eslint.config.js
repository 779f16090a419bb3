// Run from the root of the repository: ESLint reads no file above the folder that it runs in.

import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["**/node_modules/**", "**/vendor/**", "**/*.d.ts"] },
  js.configs.recommended,
  {
    rules: {
      "no-unused-vars": ["error", { args: "after-used", argsIgnorePattern: "^_" }],
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": ["error", { destructuring: "all" }],
    },
  },
  { files: ["src/sketchseek/web/*.js"], languageOptions: { globals: globals.browser } },
  {
    files: ["src/sketchseek/web/encode-worker.js", "src/sketchseek/web/service-worker.js"],
    languageOptions: { globals: { ...globals.worker, ...globals.serviceworker } },
  },
  { files: ["tests/web/*.js", "web-build/*.js"], languageOptions: { globals: globals.node } },
];
