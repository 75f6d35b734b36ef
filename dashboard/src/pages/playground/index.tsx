import { PageHeader } from "../../parts/PageHeader";

export function Playground() {
  return <PageHeader title="Playground" />;
}
