import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

/** Where the API is while the dashboard is worked on. */
const server = process.env.TENORA_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  base: "/dashboard/",
  plugins: [react()],
  build: {
    // gateway/build.rs takes what is here into the binary. The folder above it is always there.
    outDir: "dist/app",
    target: "es2022",
    // Every browser that runs es2022 knows modulepreload.
    modulePreload: { polyfill: false },
    // dev/size.mjs holds the first load to a limit of its own.
    chunkSizeWarningLimit: 1000,
    // A file inlined as a data: address would be refused by the page's Content-Security-Policy.
    assetsInlineLimit: 0,
  },
  server: {
    port: 5173,
    proxy: Object.fromEntries(
      ["/session", "/v1", "/admin/v1", "/openapi.json", "/readyz"].map((path) => [path, { target: server }]),
    ),
  },
});
