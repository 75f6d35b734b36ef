import { PageHeader } from "../../parts/PageHeader";

export function Adapters() {
  return <PageHeader title="Adapters" />;
}
