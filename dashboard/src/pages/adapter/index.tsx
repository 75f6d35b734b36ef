import { PageHeader } from "../../parts/PageHeader";

export function Adapter() {
  return <PageHeader title="Adapter" />;
}
