import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./app/base.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { Providers } from "./app/providers";

// A newer server has other files: a page of the old build cannot be loaded any more, and the new one can.
window.addEventListener("vite:preloadError", (event) => {
  const last = Number(sessionStorage.getItem("tenora-reloaded") ?? 0);
  if (Date.now() - last < 10_000) return;
  event.preventDefault();
  sessionStorage.setItem("tenora-reloaded", String(Date.now()));
  location.reload();
});

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root");
createRoot(root).render(
  <StrictMode>
    <Providers />
  </StrictMode>,
);
