// Bundles the program into one ESM file, dist/outrider.mjs.
import { defineConfig } from "rolldown";

export default defineConfig({
  input: "src/main.ts",
  platform: "node",
  output: {
    file: "dist/outrider.mjs",
    format: "esm",
    codeSplitting: false,
    minify: { compress: true, mangle: false, codegen: { removeWhitespace: true } },
    banner: "#!/usr/bin/env node",
  },
});
