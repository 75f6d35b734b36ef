// Loads TypeScript modules of src/ for `node --test`, with the bundler that is there anyway.
import { createServer } from "vite";

export async function loader() {
  const server = await createServer({
    server: { middlewareMode: true, hmr: false, ws: false, watch: null },
    appType: "custom",
    logLevel: "error",
    optimizeDeps: { noDiscovery: true, include: [] },
  });
  return { load: (path) => server.ssrLoadModule(path), close: () => server.close() };
}
