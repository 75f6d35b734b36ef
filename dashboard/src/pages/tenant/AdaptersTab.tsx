export function AdaptersTab() {
  return null;
}
