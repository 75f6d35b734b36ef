import { PageHeader } from "../../parts/PageHeader";

export function Overview() {
  return <PageHeader title="Overview" />;
}
