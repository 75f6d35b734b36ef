import { PageHeader } from "../../parts/PageHeader";

export function Tenant() {
  return <PageHeader title="Tenant" />;
}
