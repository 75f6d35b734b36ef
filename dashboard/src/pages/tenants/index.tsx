import { PageHeader } from "../../parts/PageHeader";

export function Tenants() {
  return <PageHeader title="Tenants" />;
}
