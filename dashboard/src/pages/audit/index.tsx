import { PageHeader } from "../../parts/PageHeader";

export function Audit() {
  return <PageHeader title="Audit" />;
}
